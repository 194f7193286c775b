/* Draws the Vega-Lite charts of a page so that they fit a phone and follow the theme, light or dark. */
"use strict";

function drawChart(place, spec) {
  const frame = document.querySelector(place);
  const narrow = frame.parentElement.clientWidth < 640;
  // The theme is switched while the reader watches, so its colours are signals and not part of the specification.
  const ink = () => (document.documentElement.dataset.theme === "dark" ? "#ced6dd" : "#323232");
  const line = () => (document.documentElement.dataset.theme === "dark" ? "#48566b" : "#d1d5da");
  const text = { labelColor: { expr: "ink" }, titleColor: { expr: "ink" } };
  const config = {
    background: "transparent",
    params: [{ name: "ink", value: ink() }, { name: "line", value: line() }],
    axis: { ...text, domainColor: { expr: "ink" }, tickColor: { expr: "ink" }, gridColor: { expr: "line" } },
    legend: text,
    title: { color: { expr: "ink" } },
    view: { stroke: { expr: "line" } },
  };
  const fitted = spec.columns && narrow ? { ...spec, columns: 1 } : spec;
  // Without a schema in it, Vega-Embed would take a specification of several panels for one of Vega's own language.
  return vegaEmbed(frame, fitted, { mode: "vega-lite", actions: false, renderer: "canvas", config }).then(({ view }) => {
    frame.view = view; // for the browser tests
    const excess = frame.scrollWidth - frame.parentElement.clientWidth;
    if (spec.width && excess > 0) view.width(spec.width - excess).runAsync();
    // What fits need not scroll sideways, and only then can the controls stay in sight.
    if (spec.width || excess <= 0) frame.parentElement.style.overflowX = "visible";
    new MutationObserver(() => view.signal("ink", ink()).signal("line", line()).runAsync()).observe(
      document.documentElement, { attributeFilter: ["data-theme"] });
  });
}
