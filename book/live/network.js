/* A small convolutional network: forward, backward and Adam, by hand.

   Planes are stored one after the other, (channels, H, W) in one Float32Array. A layer is a 3x3 convolution whose nine
   taps stand `dilation` pixels apart; all layers but the last end in a ReLU. Parameters are one list of arrays,
   [weights (to, from, 3, 3), bias (to), weights, bias, ...], and gradients and Adam's moments are lists of the same. */
"use strict";

/** Layers from 3 colours to `classes` logits. Together a pixel sees 17x17 pixels around it. */
function architecture(classes) {
  return [
    { from: 3, to: 8, dilation: 1 },
    { from: 8, to: 10, dilation: 2 },
    { from: 10, to: 10, dilation: 4 },
    { from: 10, to: classes, dilation: 1 },
  ];
}

/** He's uniform initialisation, +-sqrt(6 / inputs), and biases of 0; `random` gives numbers in [0, 1). */
function initialParameters(layers, random) {
  return layers.flatMap(({ from, to }) => {
    const bound = Math.sqrt(6 / (9 * from));
    return [new Float32Array(to * from * 9).map(() => bound * (2 * random() - 1)), new Float32Array(to)];
  });
}

/** (channels, H, W) with a border of `border` zeros: (channels, H + 2 border, W + 2 border). */
function padded(planes, channels, height, width, border) {
  const tall = height + 2 * border, wide = width + 2 * border;
  const out = new Float32Array(channels * tall * wide);
  for (let row = 0; row < channels * height; row++) {
    const channel = Math.floor(row / height), y = row % height;
    out.set(planes.subarray(row * width, (row + 1) * width), (channel * tall + y + border) * wide + border);
  }
  return out;
}

/** Cross-correlation of `input` (from, H, W) with `weights` (to, from, 3, 3), zeros outside: (to, H, W). */
function convolve(input, weights, bias, { from, to, dilation }, height, width) {
  const source = padded(input, from, height, width, dilation);
  const wide = width + 2 * dilation, plane = wide * (height + 2 * dilation);
  const out = new Float32Array(to * height * width);
  for (let o = 0; o < to; o++) {
    out.fill(bias[o], o * height * width, (o + 1) * height * width);
    for (let i = 0; i < from; i++) {
      const [w0, w1, w2, w3, w4, w5, w6, w7, w8] = weights.subarray((o * from + i) * 9, (o * from + i + 1) * 9);
      for (let y = 0; y < height; y++) {
        let a = i * plane + y * wide, b = a + dilation * wide, c = b + dilation * wide; // the three rows of taps
        const end = (o * height + y + 1) * width;
        for (let at = end - width; at < end; at++, a++, b++, c++) {
          out[at] += w0 * source[a] + w1 * source[a + dilation] + w2 * source[a + 2 * dilation]
            + w3 * source[b] + w4 * source[b + dilation] + w5 * source[b + 2 * dilation]
            + w6 * source[c] + w7 * source[c + dilation] + w8 * source[c + 2 * dilation];
        }
      }
    }
  }
  return out;
}

/** Adds to `weightGradient` and `biasGradient` what `gradient` (to, H, W) at a layer's output makes of them. */
function addWeightGradients(input, gradient, weightGradient, biasGradient, { from, to, dilation }, height, width) {
  const source = padded(input, from, height, width, dilation);
  const wide = width + 2 * dilation, plane = wide * (height + 2 * dilation);
  for (let o = 0; o < to; o++) {
    for (let at = o * height * width; at < (o + 1) * height * width; at++) biasGradient[o] += gradient[at];
    for (let i = 0; i < from; i++) {
      let s0 = 0, s1 = 0, s2 = 0, s3 = 0, s4 = 0, s5 = 0, s6 = 0, s7 = 0, s8 = 0;
      for (let y = 0; y < height; y++) {
        let a = i * plane + y * wide, b = a + dilation * wide, c = b + dilation * wide;
        const end = (o * height + y + 1) * width;
        for (let at = end - width; at < end; at++, a++, b++, c++) {
          const g = gradient[at];
          s0 += g * source[a]; s1 += g * source[a + dilation]; s2 += g * source[a + 2 * dilation];
          s3 += g * source[b]; s4 += g * source[b + dilation]; s5 += g * source[b + 2 * dilation];
          s6 += g * source[c]; s7 += g * source[c + dilation]; s8 += g * source[c + 2 * dilation];
        }
      }
      [s0, s1, s2, s3, s4, s5, s6, s7, s8].forEach((sum, tap) => { weightGradient[(o * from + i) * 9 + tap] += sum; });
    }
  }
}

/** Weights (from, to, 3, 3) that carry a gradient back: turned by 180 degrees, inputs and outputs exchanged. */
function turned(weights, { from, to }) {
  const out = new Float32Array(weights.length);
  for (let o = 0; o < to; o++) for (let i = 0; i < from; i++) for (let tap = 0; tap < 9; tap++) {
    out[(i * to + o) * 9 + tap] = weights[(o * from + i) * 9 + 8 - tap];
  }
  return out;
}

/** The planes after every layer for an image (3, H, W), the image first and the logits (classes, H, W) last. */
function forward(layers, parameters, image, height, width) {
  const planes = [image];
  layers.forEach((layer, k) => {
    const out = convolve(planes[k], parameters[2 * k], parameters[2 * k + 1], layer, height, width);
    planes.push(k < layers.length - 1 ? out.map(value => Math.max(value, 0)) : out);
  });
  return planes;
}

/** Adds to `sums`, a list like `parameters`, the gradient that `gradient` (classes, H, W) at the logits makes. */
function backward(layers, parameters, planes, gradient, sums, height, width) {
  for (let k = layers.length - 1; k >= 0; k--) {
    addWeightGradients(planes[k], gradient, sums[2 * k], sums[2 * k + 1], layers[k], height, width);
    if (k === 0) return;
    const { from, to, dilation } = layers[k];
    const back = { from: to, to: from, dilation };
    gradient = convolve(gradient, turned(parameters[2 * k], layers[k]), new Float32Array(from), back, height, width);
    for (let at = 0; at < gradient.length; at++) if (planes[k][at] <= 0) gradient[at] = 0; // through the ReLU
  }
}

const zerosLike = arrays => arrays.map(array => new Float32Array(array.length));

/** Adam's memory for a list of parameters: the step count and the running means of the gradient and of its square. */
const newAdam = parameters => ({ step: 0, mean: zerosLike(parameters), square: zerosLike(parameters) });

/** One step of Adam (Kingma and Ba 2015, algorithm 1) with betas 0.9 and 0.999, in place. */
function adamStep(parameters, gradients, adam, learningRate) {
  adam.step += 1;
  const meanBias = 1 - 0.9 ** adam.step, squareBias = 1 - 0.999 ** adam.step;
  parameters.forEach((values, k) => {
    const mean = adam.mean[k], square = adam.square[k], gradient = gradients[k];
    for (let at = 0; at < values.length; at++) {
      mean[at] = 0.9 * mean[at] + 0.1 * gradient[at];
      square[at] = 0.999 * square[at] + 0.001 * gradient[at] * gradient[at];
      values[at] -= learningRate * (mean[at] / meanBias) / (Math.sqrt(square[at] / squareBias) + 1e-8);
    }
  });
}
