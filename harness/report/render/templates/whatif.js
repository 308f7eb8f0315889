// The what-if panel: the inputs of `decide` as fields and sliders; verdict and chart follow.
(() => {
  "use strict";
  const panel = document.getElementById("what-if-panel");
  const source = document.getElementById("decision");
  if (!panel || !source) return;
  const { arms, people } = JSON.parse(source.textContent);

  // label, unit, where it lies in decide's input, kind of slider, smallest, largest
  const FIELDS = [
    ["Demand", [
      ["tasks a month", "", ["workload", "tasks_per_month"], "log", 0, 1e15],
      ["attempts that fail", "share", ["workload", "retry_failure_rate"], "share", 0, 0.99],
      ["retries at most", "empty: until success", ["workload", "max_retries"], "count", 0, 1e9],
      ["answered by response cache", "share", ["workload", "response_cache_hit_rate"], "share", 0, 0.99],
      ["peak over mean", "×", ["workload", "peak_to_mean"], "peak", 1, 1e12],
    ]],
    ["Self-host", [
      ["price of an instance", "USD/h", ["self_host", "usd_per_hour"], "log", 0, 1e12],
      ["goodput of an instance", "req/s", ["self_host", "goodput_requests_per_s"], "log", 0, 1e12],
      ["load limit", "share of goodput", ["self_host", "max_load"], "load", 0.01, 1],
      ["instances at least", "", ["self_host", "min_instances"], "count", 1, 1e9],
      ["fixed cost, people", "USD a month", ["self_host", "fixed_usd_per_month"], "fixed", 0, 1e12],
    ]],
    ["API", [
      ["input price", "USD/Mtok", ["api", "input_usd_per_mtok"], "log", 0, 1e12],
      ["cached input price", "USD/Mtok, empty: as input", ["api", "cached_input_usd_per_mtok"], "log", 0, 1e12],
      ["output price", "USD/Mtok", ["api", "output_usd_per_mtok"], "log", 0, 1e12],
      ["price of a request", "USD", ["api", "usd_per_request"], "cents", 0, 1e12],
      ["unit of capacity", "USD a month", ["api", "units_usd_per_month"], "fixed", 0, 1e12],
      ["a unit serves", "tasks a month, empty: all", ["api", "unit_tasks_per_month"], "log", 1, 1e12],
      ["fixed cost", "USD a month", ["api", "fixed_usd_per_month"], "fixed", 0, 1e12],
    ]],
  ];
  const MOST_CLASSES = 4; // a mix of more kinds of request stays as the demand has it
  const MAY_BE_EMPTY = new Set([
    "tasks_per_month", "max_retries", "cached_input_usd_per_mtok", "goodput_requests_per_s",
    "unit_tasks_per_month",
  ]);
  const SPAN = 100; // a logarithmic slider goes from a hundredth to a hundred times the first value
  const STEPS = 1000;

  let input = null; // the object that decide takes
  const at = (path) => path.reduce((value, key) => value?.[key], input);
  function put(path, value) {
    const last = path[path.length - 1];
    path.slice(0, -1).reduce((object, key) => object[key], input)[last] = value;
    if (last === "peak_to_mean") { // without hours nobody knows when no instance is needed
      input.workload.hourly_profile = null;
      input.self_host.min_instances = Math.max(1, input.self_host.min_instances);
    }
    if (last === "unit_tasks_per_month") input.api.unit_tokens_per_s = null; // one size of a unit
    if (last === "goodput_requests_per_s") {
      input.self_host.goodput_low = null; // the measured interval belongs to the measured value
      input.self_host.goodput_high = null;
    }
  }

  function make(tag, attributes = {}, ...children) {
    const element = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
    element.append(...children);
    return element;
  }

  function slider(kind, first) { // from a value to 0..STEPS and back
    const straight = (low, high) => ({
      to: (value) => (value - low) / (high - low) * STEPS,
      from: (place) => low + place / STEPS * (high - low),
    });
    if (kind === "part") return straight(0, first || 1);
    if (kind === "share") return straight(0, 0.9);
    if (kind === "cents") return straight(0, Math.max(0.05, 3 * (first ?? 0)));
    if (kind === "load") return straight(0.05, 1);
    if (kind === "peak") return straight(1, Math.max(10, 2 * (first ?? 1)));
    if (kind === "count") return straight(0, Math.max(10, 2 * (first ?? 0)));
    if (kind === "fixed") return straight(0, Math.max(20000, 3 * (first ?? 0)));
    const middle = first > 0 ? first : 1;
    return {
      to: (value) => STEPS / 2 * (1 + Math.log(Math.max(value, middle / SPAN) / middle) / Math.log(SPAN)),
      from: (place) => middle * SPAN ** (place / STEPS * 2 - 1),
    };
  }
  const fallback = (key) => ({ // where a slider begins when there is no value yet
    tasks_per_month: 1e5,
    unit_tasks_per_month: 1e6,
    goodput_requests_per_s: arms[Number(choice.value)].decision.min_goodput_requests_per_s ?? 1,
    cached_input_usd_per_mtok: input.api.input_usd_per_mtok,
  }[key] ?? null);
  const rounded = (value, kind) => kind === "count" ? Math.round(value) : Number(value.toPrecision(3));

  function field([label, unit, path, kind, lowest, highest]) {
    const key = path.join("-"), last = path[path.length - 1];
    const first = at(path) ?? (MAY_BE_EMPTY.has(last) ? null : 0);
    if (last === "min_instances" && input.workload.hourly_profile) lowest = 0; // none in an hour without arrivals
    const scale = kind === "part" ? slider(kind, at([...path.slice(0, -1), "input_tokens"]))
      : slider(kind, first ?? fallback(last));
    const number = make("input", { type: "number", id: `wi-${key}`, "data-path": path.join("."), min: lowest,
      max: highest, step: kind === "count" ? 1 : "any", inputmode: "decimal" });
    const range = make("input", { type: "range", min: 0, max: STEPS, step: 1, "aria-label": `${label}, slider` });
    number.value = first === null ? "" : String(Number(first.toPrecision(7))); // shown short, kept exact
    range.value = String(first === null ? 0 : scale.to(first));
    number.required = !MAY_BE_EMPTY.has(last);
    number.addEventListener("input", () => {
      if (!number.checkValidity()) return refuse(number);
      put(path, number.value === "" ? null : Number(number.value));
      if (number.value !== "") range.value = String(scale.to(Number(number.value)));
      return update();
    });
    range.addEventListener("input", () => {
      const value = Math.min(highest, Math.max(lowest, rounded(scale.from(Number(range.value)), kind)));
      number.value = String(value);
      put(path, value);
      update();
    });
    const name = make("label", { for: number.id }, label);
    if (unit) name.append(" ", make("small", {}, unit));
    return make("div", { class: "field" }, name, number, range);
  }

  function classFields() {
    const classes = input.workload.classes;
    if (classes.length > MOST_CLASSES) {
      return [make("p", { class: "note" }, `${classes.length} kinds of request, as in the demand`)];
    }
    return classes.flatMap((kind, i) => {
      const whose = classes.length > 1 ? `${kind.name || `class ${i + 1}`}: ` : "";
      const of = (label, key, slide) =>
        field([whose + label, "tokens", ["workload", "classes", i, key], slide, 0, 1e12]);
      return [of("input", "input_tokens", "log"), of("of it from prompt cache", "cached_input_tokens", "part"),
        of("output", "output_tokens", "log")];
    });
  }

  const form = make("form", { class: "fields", autocomplete: "off" });
  form.addEventListener("submit", (event) => event.preventDefault());
  const choice = make("select", { id: "wi-arm" });
  arms.forEach((arm, i) => choice.append(make("option", { value: i }, arm.name)));
  const reset = make("button", { type: "button" }, "Reset to the run");
  const said = make("p", { class: "sentence", "aria-live": "polite" });
  const figures = make("dl", { class: "facts" });
  const drawing = make("figure", { class: "drawing", id: "what-if-chart" });
  panel.append(
    make("div", { class: "what-if-head" }, make("label", { for: "wi-arm" }, "against "), choice, reset),
    make("div", { class: "what-if-body" }, form, make("div", { class: "outcome" }, said, figures, drawing)),
  );

  function load() {
    input = structuredClone(arms[Number(choice.value)].input);
    const hours = input.workload.hourly_profile;
    if (hours) { // shown as the peak it comes to; the profile itself stays until the peak is moved
      input.workload.peak_to_mean = Math.max(...hours) * hours.length / hours.reduce((a, b) => a + b, 0);
    }
    form.replaceChildren(...FIELDS.map(([title, fields]) => {
      const inside = fields.map(field);
      if (title === "Demand") inside.splice(1, 0, ...classFields());
      return make("fieldset", {}, make("legend", {}, title), ...inside);
    }));
    update();
  }

  function refuse(number) {
    said.textContent = `${number.labels[0].textContent}: ${number.validationMessage}`;
    said.classList.add("bad");
  }

  const amount = (value) => value === null ? "n/a" : breakeven.usd(value);
  function update() {
    const cached = input.workload.classes.find((c) => (c.cached_input_tokens ?? 0) > c.input_tokens);
    if (cached) {
      said.textContent = "tokens from the prompt cache are part of the input, they cannot be more than it";
      said.classList.add("bad");
      return;
    }
    const decided = breakeven.decide(input), volume = decided.at_volume;
    said.classList.remove("bad");
    const arm = arms[Number(choice.value)], own = arm.decision.verdict === null
      && input.self_host.goodput_requests_per_s === arm.input.self_host.goodput_requests_per_s;
    const goodput = input.self_host.goodput_requests_per_s;
    const fixed = input.self_host.fixed_usd_per_month, whose = fixed === arm.input.self_host.fixed_usd_per_month ? people : null;
    const words = breakeven.sentence(input, decided, whose ?? null);
    said.textContent = !own ? words : `Not decided: ${arm.why_not}.` + (goodput ? ` At just this goodput: ${words}` : "");
    panel.dataset.decision = JSON.stringify(decided);
    const needed = decided.min_goodput_requests_per_s, capacity = decided.capacity_tasks_per_month;
    const rows = [
      ["API, a task", `USD ${Number(decided.api_usd_per_task.toPrecision(4))}`],
      ["API, a month", amount(volume ? volume.api_usd : null)],
      ["self-host, a month", amount(volume ? volume.self_usd : null)],
      ["instances", volume?.instances == null ? "n/a"
        : `${breakeven.grouped(volume.instances, 0)}, ${(volume.utilization * 100).toPrecision(3)} % used`],
      ["one instance serves", capacity === null ? "n/a" : `${breakeven.volume(capacity)} tasks a month`],
      ["goodput needed", needed === null ? "none is enough: a further task costs too little" : `${needed.toPrecision(3)} req/s`],
    ];
    figures.replaceChildren(...rows.map(([what, value]) =>
      make("div", {}, make("dt", {}, what), make("dd", {}, value))));
    draw(decided);
  }

  // ---- the chart, as charts/cost.py draws it
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

  function draw(decided) {
    const width = Math.max(300, drawing.clientWidth || 560), height = 360;
    const box = { left: 58, right: width - 12, top: 24, bottom: height - 44 };
    const stairs = breakeven.staircase(input, input.self_host.goodput_requests_per_s);
    const tasks = input.workload.tasks_per_month, windows = decided.winning_windows;
    const { apiUsd } = stairs;
    const marks = [tasks, stairs.capacity && stairs.capacity * Math.max(1, stairs.fewest), ...windows.flat()].filter((v) => v > 0);
    if (!marks.length) marks.push(1e3, 1e6);
    const low = down(Math.min(...marks) / 5), high = Math.max(up(Math.max(...marks) * 2.5), low * 100);
    const steps = stairs.capacity ? corners(stairs, low, high) : [];
    const costs = [apiUsd(low), apiUsd(high), ...steps.map(([, cost]) => cost)].filter((v) => v > 0);
    if (!costs.length) costs.push(1);
    const floor = steps.length && steps[0][1] > 0 ? steps[0][1] / 1000 : 0;
    const yLow = down(Math.max(Math.min(...costs), floor)), yHigh = Math.max(up(Math.max(...costs)), yLow * 10);
    const x = logScale(low, high, box.left, box.right), y = logScale(yLow, yHigh, box.bottom, box.top);
    const svg = node("svg", { viewBox: `0 0 ${width} ${height}`, class: "chart", role: "img", "aria-label": said.textContent });
    for (const [from, to] of windows) {
      const start = x(from), end = x(to ?? high);
      svg.append(node("rect", { x: start, y: box.top, width: Math.max(1.5, end - start), height: box.bottom - box.top,
        class: "band arm-0", "data-low": from, "data-high": to ?? "" }));
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
    if (apiUsd(high) > 0) {
      const start = apiUsd(low) >= yLow ? low : Math.min(high, breakeven.apiReaches(stairs, yLow, stairs.apiBase));
      line(apiPoints(stairs, start, high), "arm-0");
    }
    if (steps.length) line(steps, "self staircase");
    if (tasks > 0) {
      const place = x(tasks), right = place > (box.left + box.right) / 2;
      svg.append(node("line", { x1: place, x2: place, y1: box.top, y2: box.bottom, class: "own" }));
      svg.append(node("text", { x: place + (right ? -5 : 5), y: box.top + 12, class: "own-label",
        "text-anchor": right ? "end" : "start" }, `${breakeven.exactVolume(tasks)} a month`));
    }
    const legend = make("figcaption", { class: "legend shown" });
    for (const [css, text] of [["self", "self-host, whole instances"], ["arm-0", arms[Number(choice.value)].name]]) {
      legend.append(make("span", { class: css }, make("i"), text));
    }
    drawing.replaceChildren(svg, legend);
  }

  choice.addEventListener("change", load);
  reset.addEventListener("click", load);
  let shown = 0;
  addEventListener("resize", () => { // only a width that changed needs another drawing
    if (drawing.clientWidth !== shown) { shown = drawing.clientWidth; update(); }
  });
  panel.hidden = false;
  load();
})();
