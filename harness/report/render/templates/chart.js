// The what-if panel's drawing of cost against volume, as charts/cost.py draws it.
const breakevenChart = (() => {
  "use strict";
  const SVG = "http://www.w3.org/2000/svg";
  function node(tag, attributes, text) {
    const element = document.createElementNS(SVG, tag);
    for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
    if (text !== undefined) element.textContent = text;
    return element;
  }
  const decade = (value) => 10 ** Math.floor(Math.log10(value));
  const down = (value) => Math.max(...[1, 2, 5].map((m) => m * decade(value)).filter((v) => v <= value * 1.0001));
  const up = (value) => Math.min(...[1, 2, 5, 10].map((m) => m * decade(value)).filter((v) => v >= value * 0.9999));
  const logScale = (low, high, start, end) => (value) =>
    start + Math.min(1, Math.max(0, Math.log(Math.max(value, low) / low) / Math.log(high / low))) * (end - start);
  function ticks(low, high, most) {
    for (const mantissas of [[1, 2, 5], [1, 3], [1]]) {
      const found = [];
      for (let e = Math.floor(Math.log10(low)); e <= Math.ceil(Math.log10(high)); e += 1) {
        for (const m of mantissas) {
          const value = m * 10 ** e;
          if (value >= low * 0.9999 && value <= high * 1.0001) found.push(value);
        }
      }
      if (found.length <= most) return found;
      if (mantissas.length === 1) return found.filter((_, i) => i % Math.ceil(found.length / most) === 0);
    }
    return [];
  }

  const between = (low, high) => Array.from({ length: 49 }, (_, i) => low * (high / low) ** (i / 48));
  function corners(stairs, low, high) {
    if (stairs.metered !== null) return between(low, high).map((tasks) => [tasks, stairs.ownUsd(tasks)]);
    const points = [[low, stairs.ownUsd(low)]];
    for (let i = 0, edge = stairs.nextStep(low); i < 300 && edge < high; i += 1, edge = stairs.nextStep(edge)) {
      points.push([edge, stairs.ownUsd(edge)], [edge, stairs.ownUsdAfter(edge)]);
    }
    if (stairs.ownTask) { // a level that rises is drawn in pieces
      points.push(...between(low, high).slice(1, -1).map((tasks) => [tasks, stairs.ownUsd(tasks)]));
      points.sort((one, other) => one[0] - other[0]);
    }
    points.push([high, stairs.ownUsd(high)]);
    return points;
  }
  function apiPoints(stairs, low, high) {
    if (!stairs.hasUnits) return between(low, high).map((tasks) => [tasks, stairs.apiUsd(tasks)]);
    const points = [[low, stairs.apiUsd(low)]], first = Math.floor(low / stairs.size) + 1;
    for (let n = first; n < first + 300 && n * stairs.size < high; n += 1) {
      points.push([n * stairs.size, stairs.apiUsd(n * stairs.size)], [n * stairs.size, stairs.apiUsdAfter(n * stairs.size)]);
    }
    points.push([high, stairs.apiUsd(high)]);
    return points;
  }

  // `sides`: the input of every arm; `chosen`: whose winning windows are shaded
  return function draw(drawing, sides, chosen, decided, said) {
    const width = Math.max(300, drawing.clientWidth || 560), height = 320;
    const box = { left: 58, right: width - 28, top: 40, bottom: height - 44 };
    const { input } = sides[chosen];
    const each = sides.map((side) => breakeven.staircase(side.input, side.input.self_host.goodput_requests_per_s));
    const stairs = each[chosen], colour = (i) => `arm-${i % 6}`;
    const tasks = input.workload.tasks_per_month, windows = decided.winning_windows;
    const marks = [tasks, stairs.capacity && stairs.capacity * Math.max(1, stairs.fewest), ...windows.flat()].filter((v) => v > 0);
    if (!marks.length) marks.push(1e3, 1e6);
    const low = down(Math.min(...marks) / 5), high = Math.max(up(Math.max(...marks) * 2.5), low * 100);
    const steps = stairs.capacity ? corners(stairs, low, high) : [];
    const costs = [...each.flatMap(({ apiUsd }) => [apiUsd(low), apiUsd(high)]), ...steps.map(([, cost]) => cost)].filter((v) => v > 0);
    if (!costs.length) costs.push(1);
    const floor = steps.length && steps[0][1] > 0 ? steps[0][1] / 1000 : 0;
    const yLow = down(Math.max(Math.min(...costs), floor)), yHigh = Math.max(up(Math.max(...costs)), yLow * 10);
    const x = logScale(low, high, box.left, box.right), y = logScale(yLow, yHigh, box.bottom, box.top);
    const svg = node("svg", { viewBox: `0 0 ${width} ${height}`, class: "chart", role: "img", "aria-label": said });
    for (const [from, to] of windows) {
      const start = x(from), end = x(to ?? high);
      svg.append(node("rect", { x: start, y: box.top, width: Math.max(1.5, end - start), height: box.bottom - box.top,
        class: `band ${colour(chosen)}`, "data-low": from, "data-high": to ?? "" }));
    }
    for (const tick of ticks(yLow, yHigh, 7)) {
      svg.append(node("line", { x1: box.left, x2: box.right, y1: y(tick), y2: y(tick), class: "grid" }));
      const label = tick >= 1000 ? breakeven.volume(tick) : String(Number(tick.toPrecision(3)));
      svg.append(node("text", { x: box.left - 6, y: y(tick) + 4, class: "tick", "text-anchor": "end" }, label));
    }
    for (const tick of ticks(low, high, width < 450 ? 4 : 7)) {
      svg.append(node("line", { x1: x(tick), x2: x(tick), y1: box.bottom, y2: box.bottom + 5, class: "axis" }));
      svg.append(node("text", { x: x(tick), y: box.bottom + 18, class: "tick", "text-anchor": "middle" },
        breakeven.volume(tick)));
    }
    svg.append(node("line", { x1: box.left, x2: box.right, y1: box.bottom, y2: box.bottom, class: "axis" }));
    svg.append(node("text", { x: 2, y: 13, class: "axis-title" }, "USD a month (log scale)"));
    svg.append(node("text", { x: box.right, y: height - 8, class: "axis-title", "text-anchor": "end" },
      "tasks a month (log scale)"));
    const line = (points, css) => svg.append(node("path", { class: `line ${css}`,
      d: points.map(([px, py], i) => `${i ? "L" : "M"}${x(px).toFixed(2)} ${y(py).toFixed(2)}`).join("") }));
    each.forEach((one, i) => {
      if (one.apiUsd(high) <= 0) return;
      const start = one.apiUsd(low) >= yLow ? low : Math.min(high, breakeven.apiReaches(one, yLow, one.apiBase));
      line(apiPoints(one, start, high), colour(i) + (i === chosen ? "" : " faint"));
    });
    if (steps.length) line(steps, "self staircase");
    if (tasks > 0) {
      const place = x(tasks), words = `${breakeven.exactVolume(tasks)} a month`, half = 4.3 * words.length; // at most
      svg.append(node("line", { x1: place, x2: place, y1: box.top, y2: box.bottom, class: "own" }));
      svg.append(node("text", { x: Math.min(Math.max(place, half), width - half), y: box.top - 7, class: "own-label",
        "text-anchor": "middle" }, words));
    }
    const legend = document.createElement("figcaption");
    legend.className = "legend shown";
    for (const [css, text] of [["self", "self-host, whole instances"], ...sides.map(({ name }, i) => [colour(i), name])]) {
      const entry = document.createElement("span");
      entry.className = css;
      const swatch = node("svg", { viewBox: "0 0 28 10", class: "chart swatch", "aria-hidden": "true" });
      swatch.append(node("line", { x1: 1, y1: 5, x2: 27, y2: 5, class: `line ${css}` }));
      entry.append(swatch, text);
      legend.append(entry);
    }
    drawing.replaceChildren(svg, legend);
  };
})();
