/* The losses of the picture, and their gradients with respect to the logits.

   A loss is a sum over pixels, weight times negative log-likelihood (nll), divided by a normaliser. Logits are
   (images, classes, pixels) in one Float32Array, labels (images, pixels) in one Uint8Array; every pixel
   has a class, and every class has pixels in the training set.
   `choice` is {method, T, alpha}; `classPixels` are the training set's pixel counts of the classes. */
"use strict";

const GAMMA = 2; // of the focal loss

/** CB of Cui et al. 2019: the inverse effective number of pixels with beta = (N - 1) / N, of mean 1. */
function classBalancedWeights(classPixels) {
  const total = classPixels.reduce((a, b) => a + b);
  const weights = Array.from(classPixels, pixels => -1 / Math.expm1(pixels * Math.log1p(-1 / total)));
  const sum = weights.reduce((a, b) => a + b);
  return weights.map(weight => weight * classPixels.length / sum);
}

/** BMS of Ren et al. 2020: the log of each class's share of the training pixels is added to its logit. */
function logPrior(classPixels) {
  const total = classPixels.reduce((a, b) => a + b);
  return Array.from(classPixels, pixels => Math.log(pixels / total));
}

/** S of every class in one image, (classes). */
function maskSizes(labels, classes) {
  const sizes = new Float64Array(classes);
  for (const label of labels) sizes[label] += 1;
  return sizes;
}

/** What is added to the logits (classes) before the softmax: nothing, but for BMS. */
function adjustment(choice, classPixels) {
  return choice.method === "bms" ? logPrior(classPixels) : new Array(classPixels.length).fill(0);
}

/** A function (label, nll) to [weight, d (weight nll) / d nll] for an image whose classes have these `sizes`. */
function pixelWeight({ method, T, alpha }, sizes, classPixels) {
  const shares = Array.from(sizes, size => 1 / size ** alpha);
  const balanced = classBalancedWeights(classPixels);
  // Where no gradient flows through the weight, the two are the same.
  const constant = weight => [weight, weight];
  return {
    ce: () => constant(1),
    bms: () => constant(1),
    cb: label => constant(balanced[label]),
    focal: (label, nll) => {
      const p = Math.exp(-nll), factor = (1 - p) ** GAMMA;
      return [factor, factor + GAMMA * (1 - p) ** (GAMMA - 1) * p * nll];
    },
    pat: (label, nll) => constant(Math.exp((1 - Math.exp(-nll)) / T) * shares[label]), // Eq. 4 and 5, epsilon 0
    size: label => constant(shares[label]),
  }[method];
}

/** Loss and its gradient (images, classes, pixels): {value, gradient}. */
function lossAndGradient(choice, logits, labels, images, classPixels) {
  const classes = classPixels.length, pixels = labels.length / images;
  const added = adjustment(choice, classPixels);
  const divideByImages = choice.method === "pat" || choice.method === "size"; // the others: by pixels
  const normaliser = divideByImages ? images : labels.length;
  const gradient = new Float32Array(logits.length), adjusted = new Float64Array(classes);
  let value = 0;
  for (let image = 0; image < images; image++) {
    const own = labels.subarray(image * pixels, (image + 1) * pixels);
    const weightOf = pixelWeight(choice, maskSizes(own, classes), classPixels);
    for (let pixel = 0; pixel < pixels; pixel++) {
      const first = image * classes * pixels + pixel, label = own[pixel];
      for (let c = 0; c < classes; c++) adjusted[c] = logits[first + c * pixels] + added[c];
      const largest = Math.max(...adjusted); // subtracted first, so that no term overflows
      let sum = 0;
      for (const logit of adjusted) sum += Math.exp(logit - largest);
      const nll = Math.log(sum) + largest - adjusted[label];
      const [weight, slope] = weightOf(label, nll);
      value += weight * nll / normaliser;
      for (let c = 0; c < classes; c++) {
        const softmax = Math.exp(adjusted[c] - largest) / sum;
        gradient[first + c * pixels] = slope * (softmax - (c === label ? 1 : 0)) / normaliser;
      }
    }
  }
  return { value, gradient };
}
