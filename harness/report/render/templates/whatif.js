// The what-if panel: the inputs of `decide` as fields and sliders; every arm's verdict and the chart follow.
(() => {
  "use strict";
  const panel = document.getElementById("what-if-panel");
  const source = document.getElementById("decision");
  const known = document.getElementById("what-if-data");
  if (!panel || !source || !known) return;
  const { arms, demand, people: ofRun } = JSON.parse(source.textContent);
  const { weight, limits, other_shape: otherShape, usd_per_year: usdPerYear } = JSON.parse(known.textContent);

  // label, unit, where it lies in an arm's view, kind of slider, smallest, largest, folded unless it is set
  const FIELDS = [
    ["Demand", [
      ["tasks a month", "", "workload.tasks_per_month", "log", 0, 1e15],
      ["peak over mean", "×", "workload.peak_to_mean", "peak", 1, 1e12],
      ["attempts that fail", "share", "workload.retry_failure_rate", "share", 0, 0.99, true],
      ["retries at most", "empty: until success", "workload.max_retries", "count", 0, 1e9, true],
      ["answered by response cache", "share", "workload.response_cache_hit_rate", "share", 0, 0.99, true],
    ]],
    ["Self-host", [
      ["price of an instance", "USD/h", "self_host.usd_per_hour", "log", 0, 1e12],
      ["goodput of an instance", "req/s", "self_host.goodput_requests_per_s", "log", 0, 1e12],
      ["people", "FTE", "people.fte", "people", 0, 1e6],
      ["a year of a person", "USD", "people.usd_per_year", "fixed", 0, 1e9],
      ["fixed cost beside people", "USD a month", "self_host.other_fixed_usd_per_month", "fixed", 0, 1e12, true],
      ["load limit", "share of goodput", "self_host.max_load", "load", 0.01, 1, true],
      ["instances at least", "", "self_host.min_instances", "count", 1, 1e9, true],
    ]],
    ["API", [
      ["input price", "USD/Mtok", "api.input_usd_per_mtok", "log", 0, 1e12],
      ["output price", "USD/Mtok", "api.output_usd_per_mtok", "log", 0, 1e12],
      ["cached input price", "USD/Mtok, empty: as input", "api.cached_input_usd_per_mtok", "log", 0, 1e12],
      ["price of a request", "USD", "api.usd_per_request", "cents", 0, 1e12, true],
      ["unit of capacity", "USD a month", "api.units_usd_per_month", "fixed", 0, 1e12, true],
      ["a unit serves", "tasks a month, empty: all", "api.unit_tasks_per_month", "log", 1, 1e12, true],
      ["fixed cost", "USD a month", "api.fixed_usd_per_month", "fixed", 0, 1e12, true],
    ]],
  ];
  const MOST_CLASSES = 4; // a mix of more kinds of request stays as the demand has it
  const MAY_BE_EMPTY = new Set([
    "tasks_per_month", "max_retries", "cached_input_usd_per_mtok", "goodput_requests_per_s", "unit_tasks_per_month",
  ]);
  const SPAN = 100; // a logarithmic slider goes from a hundredth to a hundred times the first value
  const STEPS = 1000;
  const MONTHS = 12, HASH = "#what-if&", HASH_AFTER_MS = 150;
  const GOODPUT = "self_host.goodput_requests_per_s";

  // ---- what was moved: workload, box and people are every arm's, an API's prices its own
  let chosen = 0;
  const shared = new Map(), own = arms.map(() => new Map());
  const movesOf = (path, i = chosen) => path.startsWith("api.") ? own[i] : shared;
  const at = (view, path) => path.split(".").reduce((value, key) => value?.[key], view);
  function put(view, path, value) {
    const keys = path.split("."), last = keys.pop(), holder = keys.reduce((object, key) => object?.[key], view);
    if (!holder) return;
    holder[last] = value;
    if (last === "peak_to_mean") { // without hours nobody knows when no instance is needed
      view.workload.hourly_profile = null;
      view.self_host.min_instances = Math.max(1, view.self_host.min_instances ?? 1);
    }
    if (last === "unit_tasks_per_month") view.api.unit_tokens_per_s = null; // one size of a unit
    if (path === GOODPUT) {
      view.self_host.goodput_low = null; // the measured interval belongs to the measured value
      view.self_host.goodput_high = null;
    }
  }

  const isPerson = (item) => item.kind === "fte" && item.line === "people" && item.arm === "self_host";
  const persons = (demand.items ?? []).filter(isPerson);
  const fte = persons.reduce((sum, item) => sum + item.fraction, 0);
  const peopleUsd = persons.reduce((sum, item) => sum + item.fraction * item.loaded_usd_per_year / MONTHS, 0);
  function firstView(i) { // an arm's input with people apart
    const view = structuredClone(arms[i].input), hours = view.workload.hourly_profile, box = view.self_host;
    if (hours) { // shown as the peak it comes to; the profile itself stays until the peak is moved
      view.workload.peak_to_mean = Math.max(...hours) * hours.length / hours.reduce((a, b) => a + b, 0);
    }
    view.people = { fte, usd_per_year: fte ? peopleUsd * MONTHS / fte : usdPerYear };
    const rest = (box.fixed_usd_per_month ?? 0) - peopleUsd;
    box.other_fixed_usd_per_month = Math.abs(rest) < 1e-6 * peopleUsd ? 0 : Math.max(0, rest);
    return view;
  }
  const PEOPLE = ["people.fte", "people.usd_per_year", "self_host.other_fixed_usd_per_month"];
  function viewOf(i) {
    const view = firstView(i);
    for (const moves of [shared, own[i]]) for (const [path, value] of moves) put(view, path, value);
    const { people, self_host: box } = view;
    if (PEOPLE.some((path) => shared.has(path))) {
      box.fixed_usd_per_month = box.other_fixed_usd_per_month + people.fte * people.usd_per_year / MONTHS;
    }
    view.scaled = shared.has(GOODPUT) ? null : scale(view, arms[i].input);
    return view;
  }
  function peopleIn({ people }) { // as the sentence names them: the run's own until they are moved
    if (!PEOPLE.some((path) => shared.has(path))) return ofRun ?? null;
    const byHour = shared.has(PEOPLE[2]) ? 0 : Math.max(0, (ofRun?.usd_per_month ?? 0) - peopleUsd);
    const isMixed = shared.has(PEOPLE[0]) && (ofRun?.assumed_pay_fte ?? null) !== null; // then a year is the mean
    return { usd_per_month: people.fte * people.usd_per_year / MONTHS + byHour, fte: byHour > 1e-6 ? null : people.fte,
      assumed: !shared.has(PEOPLE[0]) && Boolean(ofRun?.assumed),
      assumed_usd_per_year: shared.has(PEOPLE[1]) || isMixed ? null : ofRun?.assumed_usd_per_year ?? null,
      assumed_pay_fte: isMixed ? null : ofRun?.assumed_pay_fte ?? null };
  }
  function inputOf(view) { // what decide takes
    const { scaled, people, ...input } = structuredClone(view);
    delete input.self_host.other_fixed_usd_per_month;
    return input;
  }

  // ---- requests of other lengths take more or less of the box: harness/report/money/whatif.py
  function means({ workload: { classes } }) {
    const total = classes.reduce((sum, one) => sum + (one.weight ?? 1), 0);
    const mean = (key) => classes.reduce((sum, one) => sum + (one.weight ?? 1) / total * one[key], 0);
    return { input: mean("input_tokens"), output: mean("output_tokens") };
  }
  function share(w, before, now) { // of the goodput that is left
    const work = ({ input, output }) => w === null ? output : input + w * output;
    return work(now) > 0 && work(before) > 0 ? work(before) / work(now) : 1;
  }
  function scale(view, first) {
    const before = means(first), now = means(view), box = view.self_host, goodput = box.goodput_requests_per_s;
    if (!goodput || (before.input === now.input && before.output === now.output)) return null;
    const shares = [weight.low, weight.middle, weight.high].map((w) => share(w, before, now));
    const low = (box.goodput_low ?? goodput) * Math.min(...shares);
    const high = (box.goodput_high ?? goodput) * Math.max(...shares);
    box.goodput_requests_per_s = goodput * shares[1];
    box.goodput_low = low;
    box.goodput_high = high;
    const longer = { input: now.input / before.input, output: now.output / before.output };
    const grown = ({ grows_with: by }) => Math.max(longer.input, by === "both" ? longer.output : 0);
    const broken = limits.find((limit) => limit.share <= 1 && limit.share * grown(limit) > 1);
    return { low, high, broken };
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
    if (kind === "people") return straight(0, Math.max(2, 3 * (first ?? 0)));
    if (kind === "fixed") return straight(0, Math.max(20000, 3 * (first ?? 0)));
    const middle = first > 0 ? first : 1;
    return {
      to: (value) => STEPS / 2 * (1 + Math.log(Math.max(value, middle / SPAN) / middle) / Math.log(SPAN)),
      from: (place) => middle * SPAN ** (place / STEPS * 2 - 1),
    };
  }
  const fallback = (key, view) => ({ // where a slider begins when there is no value yet
    tasks_per_month: 1e5,
    unit_tasks_per_month: 1e6,
    goodput_requests_per_s: arms[chosen].decision.min_goodput_requests_per_s ?? 1,
    cached_input_usd_per_mtok: view.api.input_usd_per_mtok,
  }[key] ?? null);
  const rounded = (value, kind) => kind === "count" ? Math.round(value) : Number(value.toPrecision(3));
  const shownNumber = (value) => value === null ? "" : String(Number(value.toPrecision(7))); // short, kept exact

  function field(view, first, [label, unit, path, kind, least, most]) {
    const last = path.split(".").pop(), unset = MAY_BE_EMPTY.has(last) ? null : 0;
    const start = at(first, path) ?? unset, now = at(view, path) ?? unset;
    const lowest = lowestOf(path, least, view);
    const scale = kind === "part" ? slider(kind, at(view, path.replace("cached_input", "input")))
      : slider(kind, start ?? fallback(last, view));
    const number = make("input", { type: "number", id: `wi-${path.replaceAll(".", "-")}`, "data-path": path, min: lowest,
      max: most, step: kind === "count" ? 1 : "any", inputmode: "decimal" });
    const range = make("input", { type: "range", min: 0, max: STEPS, step: 1, "aria-label": `${label}, slider` });
    const move = (value) => { movesOf(path).set(path, value); update(path); };
    number.show = (value) => {
      number.value = shownNumber(value);
      range.value = String(value === null ? 0 : scale.to(value));
    };
    number.show(now);
    number.required = !MAY_BE_EMPTY.has(last);
    number.addEventListener("input", () => {
      if (!number.checkValidity()) return refuse(`${label} ${unit}`.trim() + `: ${number.validationMessage}`);
      if (number.value !== "") range.value = String(scale.to(Number(number.value)));
      return move(number.value === "" ? null : Number(number.value));
    });
    range.addEventListener("input", () => {
      const value = Math.min(most, Math.max(lowest, rounded(scale.from(Number(range.value)), kind)));
      number.value = String(value);
      move(value);
    });
    const name = make("label", { for: number.id }, label);
    if (unit) name.append(" ", make("small", {}, unit));
    return make("div", { class: "field" }, name, number, range);
  }
  const lowestOf = (path, least, view) => // none in an hour without arrivals
    path === "self_host.min_instances" && view.workload.hourly_profile ? 0 : least;

  function classFields(classes) {
    return classes.flatMap((kind, i) => {
      const whose = classes.length > 1 ? `${kind.name || `class ${i + 1}`}: ` : "";
      const of = (label, key, slide, folded) =>
        [whose + label, "tokens", `workload.classes.${i}.${key}`, slide, 0, 1e12, folded];
      return [of("input", "input_tokens", "log"), of("output", "output_tokens", "log"),
        of("of the input from prompt cache", "cached_input_tokens", "part", true)];
    });
  }
  const isMix = arms[0].input.workload.classes.length > MOST_CLASSES;
  const ofClasses = isMix ? [] : classFields(arms[0].input.workload.classes);
  const every = () => FIELDS.map(([title, fields]) =>
    [title, title === "Demand" ? [fields[0], ...ofClasses, ...fields.slice(1)] : fields]);

  // ---- the panel
  const form = make("form", { class: "fields", autocomplete: "off" });
  form.addEventListener("submit", (event) => event.preventDefault());
  const choice = make("select", { id: "wi-arm" });
  arms.forEach((arm, i) => choice.append(make("option", { value: i }, arm.name)));
  const button = (text) => make("button", { type: "button" }, text);
  const reset = button("Reset to the run"), copyLink = button("Copy link"), asDemand = button("Copy as demand.yaml");
  const copied = make("span", { class: "copied", role: "status" });
  const refused = make("p", { class: "refused bad", role: "alert" });
  const outcomes = make("ol", { class: "outcomes", "aria-live": "polite" });
  const figures = make("dl", { class: "facts" });
  const drawing = make("figure", { class: "drawing", id: "what-if-chart" });
  const yaml = make("textarea", { id: "what-if-demand", readonly: "", rows: 12, "aria-label": "demand.yaml", hidden: "" });
  panel.append(
    make("div", { class: "what-if-head" }, make("label", { for: "wi-arm" }, "prices and chart of "), choice, reset,
      copyLink, asDemand, copied),
    yaml,
    make("div", { class: "what-if-body" }, form, make("div", { class: "outcome" }, refused, outcomes, figures, drawing)),
  );

  function load() {
    choice.value = String(chosen);
    const view = viewOf(chosen), first = firstView(chosen);
    form.replaceChildren(...every().map(([title, fields]) => {
      const isSet = ([, , path]) => ![undefined, null, 0, 1].includes(at(view, path)) || movesOf(path).has(path);
      const inside = fields.filter(([, , , , , , folded]) => !folded).map((one) => field(view, first, one));
      const more = fields.filter(([, , , , , , folded]) => folded);
      if (title === "Demand" && isMix) {
        inside.splice(1, 0, make("p", { class: "note" },
          `${first.workload.classes.length} kinds of request, as in the demand`));
      }
      const rest = make("details", {}, make("summary", {}, `more of ${title === "API" ? "the API" : title.toLowerCase()}`),
        ...more.map((one) => field(view, first, one)));
      rest.open = more.some(isSet);
      return make("fieldset", {}, make("legend", {}, title), ...inside, rest);
    }));
    update(null);
  }

  const refuse = (why) => { refused.textContent = why; };
  const few = (value) => String(Number(value.toPrecision(3)));

  function judge(view, i) { // one arm: what decide says, and why it may be nothing to go by
    const input = inputOf(view), decided = breakeven.decide(input), arm = arms[i];
    const isRuns = shared.size + own[i].size === 0 && decided.capacity_tasks_per_month === null; // it knows what was served
    const words = isRuns ? arm.sentence : breakeven.sentence(input, decided, peopleIn(view));
    if (arm.decision.verdict === null && !shared.has(GOODPUT)) {
      const goodput = input.self_host.goodput_requests_per_s;
      return { input, decided, words, unsure: `Not decided: ${arm.why_not}.`, atAll: Boolean(goodput), at: "At just this goodput: " };
    }
    return { input, decided, words, unsure: doubt(view, input, decided), atAll: true, at: "" };
  }
  function doubt(view, input, decided) {
    if (otherShape && !shared.has(GOODPUT)) return `Cannot tell: ${otherShape}.`;
    if (!view.scaled) return "";
    const { low, high, broken } = view.scaled;
    if (broken) return `Cannot tell: requests that long may break the SLO at any load (${broken.words}).`;
    const end = (goodput) => breakeven.decide({ ...input, self_host: { ...input.self_host, goodput_low: null,
      goodput_high: null, goodput_requests_per_s: goodput } });
    const same = [end(low), end(high)].every((other) => other.verdict === decided.verdict
      && other.at_volume?.winner === decided.at_volume?.winner);
    return same ? "" : `Cannot tell at such lengths: the answer changes between ${few(low)} and ${few(high)} req/s.`;
  }

  function update(moved) {
    const views = arms.map((_, i) => viewOf(i));
    if (views[chosen].workload.classes.some((one) => (one.cached_input_tokens ?? 0) > one.input_tokens)) {
      return refuse("tokens from the prompt cache are part of the input, they cannot be more than it");
    }
    refuse("");
    const judged = views.map(judge);
    outcomes.replaceChildren(...judged.map(outcome));
    tell(judged[chosen].decided, views[chosen]);
    if (moved !== GOODPUT) { // the goodput follows the lengths until somebody types one
      const number = form.querySelector(`input[data-path="${GOODPUT}"]`);
      number?.show(views[chosen].self_host.goodput_requests_per_s ?? null);
    }
    const sides = judged.map(({ input }, i) => ({ input, name: arms[i].name }));
    breakevenChart(drawing, sides, chosen, judged[chosen].decided, judged[chosen].words);
    if (moved !== undefined) remember();
    return undefined;
  }

  function outcome({ decided, words, unsure, atAll, at: prefix }, i) {
    const wins = decided.at_volume?.winner === "self_host";
    const kind = unsure ? "unsure" : wins ? "good" : decided.verdict === "never" ? "bad" : "warn";
    const text = [unsure, atAll ? prefix + words : ""].filter(Boolean).join(" ");
    return make("li", { class: `${kind}${i === chosen ? " chosen" : ""}`, "data-arm": arms[i].name },
      make("p", { class: "who" }, make("b", {}, arms[i].name)), make("p", { class: "sentence" }, text));
  }
  function tell(decided, view) {
    panel.dataset.decision = JSON.stringify(decided);
    const needed = decided.min_goodput_requests_per_s, capacity = decided.capacity_tasks_per_month;
    const volume = decided.at_volume, scaled = view.scaled;
    const rows = [["API, a task", `USD ${Number(decided.api_usd_per_task.toPrecision(4))}`]];
    if (volume?.instances != null) {
      rows.push(["instances", `${breakeven.grouped(volume.instances, 0)}, ${few(volume.utilization * 100)} % used`]);
    }
    if (capacity !== null) rows.push(["one instance serves", `${breakeven.volume(capacity)} tasks a month`]);
    rows.push(["goodput needed", needed === null ? "none is enough: a further task costs too little" : `${few(needed)} req/s`]);
    if (scaled) {
      rows.push(["goodput at these lengths", `${few(view.self_host.goodput_requests_per_s)} req/s `
        + `(${few(scaled.low)} to ${few(scaled.high)}), ${weight.said}`]);
    }
    figures.replaceChildren(...rows.map(([what, value], i) =>
      make("div", scaled && i === rows.length - 1 ? { class: "long" } : {}, make("dt", {}, what), make("dd", {}, value))));
  }

  // ---- the link: what was moved stands in the address
  const prefixed = (path, i) => path.startsWith("api.") ? `arms.${i}.${path}` : path;
  function address() {
    const link = new URLSearchParams();
    if (chosen) link.set("arm", String(chosen));
    [shared, ...own].forEach((moves, i) => {
      for (const [path, value] of moves) link.set(prefixed(path, i - 1), value === null ? "" : String(value));
    });
    return [...link].length ? HASH + link : "";
  }
  let pending = 0;
  function remember() { // a slider moves faster than an address may
    clearTimeout(pending);
    pending = setTimeout(write, HASH_AFTER_MS);
  }
  function write() {
    const now = address();
    if (now === "" && !location.hash.startsWith(HASH)) return;
    if (now !== location.hash) history.replaceState(null, "", now || "#what-if");
  }
  function recall() { // only what the fields would take
    if (!location.hash.startsWith(HASH)) return false;
    forget();
    const views = arms.map((_, i) => firstView(i));
    for (const [key, text] of new URLSearchParams(location.hash.slice(HASH.length))) {
      const [, arm, rest] = key.match(/^arms\.(\d+)\.(api\..+)$/) ?? [null, "0", key];
      const i = Number(arm), value = text === "" ? null : Number(text);
      if (key === "arm") { if (arms[value]) chosen = value; } else if (arms[i] && taken(rest, value, views[i])) movesOf(rest, i).set(rest, value);
    }
    load();
    return true;
  }
  function taken(path, value, view) {
    const found = every().flatMap(([, fields]) => fields).find(([, , name]) => name === path);
    if (!found) return false;
    const [, , , kind, least, most] = found;
    if (value === null) return MAY_BE_EMPTY.has(path.split(".").pop());
    return value >= lowestOf(path, least, view) && value <= most && (kind !== "count" || Number.isInteger(value));
  }
  function forget() {
    shared.clear();
    for (const moves of own) moves.clear();
  }

  // ---- demand.yaml: the demand with what was moved; JSON inside a line is YAML
  const plain = (value) => JSON.stringify(value, (_, one) => typeof one === "number" ? `\u0000${yamlNumber(one)}\u0000` : one)
    .replace(/"\\u0000([^"\\]*)\\u0000"/g, "$1").replace(/[\u007f-\u009f\u2028\u2029\ufeff]/g,
      (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`);
  const yamlNumber = (value) => String(value).replace(/^(-?\d+)e/, "$1.0e"); // 1e-7 would be a word
  const isNothing = (value) => value === null || (typeof value === "object" && !Object.keys(value).length);
  const filled = (object) => Object.fromEntries(Object.entries(object).filter(([, value]) => !isNothing(value)));
  function movedDemand() {
    const moved = filled(structuredClone(demand)), view = viewOf(0), has = (path) => shared.has(path);
    delete moved.made_of_run;
    delete moved.made_of_log;
    moved.items = (moved.items ?? []).map(filled);
    for (const key of ["tasks_per_month", "retry_failure_rate", "max_retries", "response_cache_hit_rate"]) {
      if (has(`workload.${key}`)) moved[key] = view.workload[key];
    }
    for (const key of ["max_load", "min_instances"]) if (has(`self_host.${key}`)) moved[key] = view.self_host[key];
    if (has("workload.peak_to_mean")) {
      delete moved.hourly_profile;
      moved.peak_to_mean = view.workload.peak_to_mean;
    }
    const sizes = [...shared.keys()].some((path) => path.startsWith("workload.classes."));
    const unfolded = moved.classes.length !== view.workload.classes.length || moved.classes.some((one) => one.history);
    if (sizes) {
      moved.classes = view.workload.classes.map((one, i) => ({ ...(unfolded ? {} : filled(moved.classes[i])), ...one }));
    } else moved.classes = moved.classes.map(filled);
    movePeople(moved, view, has);
    moveTerms(moved);
    return moved;
  }
  function movePeople(moved, view, has) {
    if (has(PEOPLE[0]) || has(PEOPLE[1])) {
      moved.items = moved.items.filter((item) => !isPerson(item));
      const { fte: fraction, usd_per_year: year } = view.people;
      const one = { name: "people", kind: "fte", arm: "self_host", fraction, loaded_usd_per_year: year };
      if (fraction > 0) moved.items.unshift(one);
    }
    if (has(PEOPLE[2])) {
      moved.items = moved.items.filter((item) => isPerson(item) || item.arm !== "self_host" || item.kind === "one_off");
      moved.self_fixed_usd_per_month = view.self_host.other_fixed_usd_per_month;
    }
  }
  const TERMS = ["usd_per_request", "units_usd_per_month", "unit_tasks_per_month", "fixed_usd_per_month"];
  function moveTerms(moved) { // an arm's own terms
    arms.forEach((arm, i) => {
      for (const key of TERMS) {
        if (!own[i].has(`api.${key}`)) continue;
        const terms = { ...(moved.arms?.[arm.name] ?? {}) }, value = own[i].get(`api.${key}`);
        terms[key] = key === "fixed_usd_per_month" // beside what the demand has of every API
          ? Math.max(0, (terms[key] ?? 0) + value - (arm.input.api.fixed_usd_per_month ?? 0)) : value;
        if (key === "unit_tasks_per_month") delete terms.unit_tokens_per_s;
        moved.arms = { ...moved.arms, [arm.name]: filled(terms) };
      }
    });
  }
  function demandYaml() {
    const outside = [shared, ...own].flatMap((moves, i) => [...moves].filter(([path]) => path === GOODPUT
      || path === "self_host.usd_per_hour" || (path.startsWith("api.") && !TERMS.includes(path.slice(4))))
      .map(([path, value]) => `# moved too, but no demand says it: ${path.split(".").pop()} ${value ?? "empty"}`
        + (i ? ` of ${arms[i - 1].name.replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029\ufeff]/g, " ")}` : "")));
    const lines = Object.entries(movedDemand()).flatMap(([key, value]) => Array.isArray(value) && typeof value[0] === "object"
      ? [`${key}:`, ...value.map((one) => `  - ${plain(one)}`)] : isNothing(value) && key !== "max_retries" ? [] : [`${key}: ${plain(value)}`]);
    return `${["# from a report's what-if: breakeven report RUN --demand THIS_FILE", ...outside, ...lines].join("\n")}\n`;
  }
  async function copy(text, what) {
    try {
      await navigator.clipboard.writeText(text);
      copied.textContent = `${what} copied`;
    } catch {
      copied.textContent = `select and copy the ${what}`;
    }
  }

  choice.addEventListener("change", () => { chosen = Number(choice.value); load(); });
  reset.addEventListener("click", () => { forget(); load(); });
  copyLink.addEventListener("click", () => { write(); copy(location.href, "link"); });
  asDemand.addEventListener("click", () => {
    yaml.value = demandYaml();
    yaml.hidden = false;
    yaml.select();
    copy(yaml.value, "demand.yaml");
  });
  addEventListener("hashchange", recall);
  let shown = 0;
  addEventListener("resize", () => { // only a width that changed needs another drawing
    if (drawing.clientWidth !== shown) { shown = drawing.clientWidth; update(); }
  });
  panel.hidden = false;
  if (recall()) document.getElementById("what-if").scrollIntoView({ behavior: "instant" });
  else load();
})();
