/* On a telephone a line of code is wider than the page. It then wraps as in an editor: what goes on in the next line
   stands a little further to the right than the line began, so that Python's own indentation still reads. An equation
   that is wider becomes smaller, down to half its size. */
"use strict";

(() => {
  const telephone = matchMedia("(max-width: 600px)");

  /** The first line break in a node, as [text node, place], or null. */
  function lineBreak(node) {
    const texts = document.createTreeWalker(node, NodeFilter.SHOW_TEXT);
    while (texts.nextNode()) {
      const place = texts.currentNode.data.indexOf("\n");
      if (place >= 0) return [texts.currentNode, place];
    }
    return null;
  }

  /** Put every line of a block of code into an element of its own; line breaks stay between them, for who copies. */
  function wrapLines(code) {
    const lines = [], range = document.createRange();
    for (let end = lineBreak(code); end; end = lineBreak(code)) {
      range.setStart(code, 0);
      range.setEnd(...end);
      lines.push(asLine(range.extractContents()), "\n");
      lineBreak(code)[0].deleteData(0, 1);
    }
    code.replaceChildren(...lines);
  }

  function asLine(content) {
    const line = document.createElement("span");
    line.className = "code-line";
    line.style.setProperty("--indent", `${content.textContent.search(/\S|$/) + 2}ch`);
    line.append(content);
    return line;
  }

  /** As large as it was written where that fits, and on a telephone smaller where it does not. */
  function fit(equation) {
    equation.dataset.size ??= equation.style.fontSize;
    equation.style.fontSize = equation.dataset.size;
    const least = 0.5 * parseFloat(equation.dataset.size);
    for (let turn = 0; telephone.matches && turn < 3; turn++) {  // words and spaces shrink less than symbols
      const share = equation.clientWidth / equation.scrollWidth;
      if (share < 1) equation.style.fontSize = `${Math.max(share * parseFloat(equation.style.fontSize), least)}%`;
    }
  }

  let wrapped = false;

  function fitAll() {
    window.MathJax?.startup?.promise.then(() => document.querySelectorAll("mjx-container[display]").forEach(fit));
    if (wrapped || !telephone.matches) return;
    wrapped = true;
    document.querySelectorAll(".cell_input div.highlight pre, article > section div.highlight pre").forEach(wrapLines);
  }

  telephone.addEventListener("change", fitAll);
  addEventListener("load", fitAll);
})();
