// `decide` and its sentence, the same arithmetic as harness/cost: see there for the formulas and their names.
// Takes and returns the objects of `breakeven decide`; inputs must be in range already.
const breakeven = (() => {
  "use strict";
  const HOURS = 730, SECONDS = HOURS * 3600, MTOK = 1e6;
  const ROUNDING = 1e-12, MAX_WINDOWS = 100;
  const NEVER = { verdict: "never", first: null, permanent: null, windows: [], truncated: false };

  const settle = (difference, scale) => Math.abs(difference) <= ROUNDING * Math.abs(scale) ? 0 : difference;
  function halfEven(value) { // the nearest whole number, as Python rounds
    const down = Math.floor(value), rest = value - down;
    return rest < 0.5 ? down : rest > 0.5 ? down + 1 : down % 2 === 0 ? down : down + 1;
  }
  function ceil(value) {
    const nearest = halfEven(value);
    return Math.abs(value - nearest) <= ROUNDING * Math.max(1, Math.abs(value)) ? nearest : Math.ceil(value);
  }
  const floor = (value) => -ceil(-value);

  const sum = (values) => values.reduce((total, value) => total + value, 0);
  function peak(work) {
    const hours = work.hourly_profile;
    return hours ? Math.max(...hours) / (sum(hours) / hours.length) : work.peak_to_mean ?? 1;
  }
  const failureRate = (work) => work.retry_failure_rate ?? 0;
  function successRate(work) {
    const most = work.max_retries === undefined ? 0 : work.max_retries;
    return most === null ? 1 : 1 - failureRate(work) ** (most + 1);
  }
  const attempts = (work) => successRate(work) / (1 - failureRate(work));
  function callUsd(kind, api) {
    const cached = kind.cached_input_tokens ?? 0;
    const cachedPrice = api.cached_input_usd_per_mtok ?? api.input_usd_per_mtok;
    return ((kind.input_tokens - cached) * api.input_usd_per_mtok + cached * cachedPrice
      + kind.output_tokens * api.output_usd_per_mtok) / MTOK;
  }
  function attemptUsd(classes, api) {
    const total = sum(classes.map((c) => c.weight ?? 1));
    return sum(classes.map((c) => (c.weight ?? 1) / total * callUsd(c, api)));
  }
  const reaching = (work) => attempts(work) * (1 - (work.response_cache_hit_rate ?? 0));
  const taskUsd = (work, api) =>
    attemptUsd(work.classes, api) * attempts(work) * (1 - (work.response_cache_hit_rate ?? 0));
  const callsAtPeak = (work) => peak(work) * reaching(work);

  function staircase({ workload, self_host: box, api }, goodput) {
    const capacity = goodput ? (box.max_load ?? 1) * goodput * SECONDS / callsAtPeak(workload) || null : null;
    return {
      usdPerTask: taskUsd(workload, api),
      month: box.usd_per_hour * HOURS,
      capacity,
      fixed: (box.fixed_usd_per_month ?? 0) - (api.fixed_usd_per_month ?? 0),
      fewest: box.min_instances ?? 1,
    };
  }
  function low(stairs, n) { // the volume from which n instances cost no more than the API
    const bill = (n * stairs.month + stairs.fixed) / stairs.usdPerTask;
    return Math.max(0, bill, n > stairs.fewest ? (n - 1) * stairs.capacity : 0);
  }

  function breakEven(stairs) {
    if (!stairs.capacity || stairs.usdPerTask <= 0) return NEVER;
    const worth = stairs.usdPerTask * stairs.capacity;
    const saving = settle(worth - stairs.month, worth);
    const { fixed, month, fewest } = stairs;
    const settled = settle(fixed + month, Math.max(Math.abs(fixed), month));
    if (saving > 0) {
      if (!Number.isFinite(settled / saving)) return NEVER;
      return forGood(stairs, Math.max(fewest, ceil(fixed / saving)), Math.max(fewest, ceil(settled / saving)));
    }
    if (saving === 0 && settled <= 0) {
      const start = low(stairs, fewest);
      return { verdict: "yes", first: start, permanent: start, windows: [[start, null]], truncated: false };
    }
    if (fixed <= 0 && settle(fewest * saving - fixed, fixed) >= 0) return inWindows(stairs, saving, settled);
    return NEVER;
  }
  function forGood(stairs, first, last) {
    const windows = [];
    for (let n = first; n < last && windows.length < MAX_WINDOWS; n += 1) {
      windows.push([low(stairs, n), n * stairs.capacity]);
    }
    const permanent = low(stairs, last);
    windows.push([permanent, null]);
    return { verdict: "yes", first: low(stairs, first), permanent, windows, truncated: last - first > MAX_WINDOWS };
  }
  function inWindows(stairs, saving, settled) {
    const most = saving === 0 ? Infinity : Math.max(stairs.fewest, floor(stairs.fixed / saving));
    let joined = stairs.fewest - 1; // the last n whose window the next one continues
    if (settled <= 0) joined = Math.max(joined, floor(settled / saving));
    const start = Math.min(joined + 1, most);
    const windows = [[low(stairs, stairs.fewest), start * stairs.capacity]];
    while (windows.length < MAX_WINDOWS && start + windows.length <= most) {
      const n = start + windows.length;
      windows.push([low(stairs, n), n * stairs.capacity]);
    }
    return { verdict: "window", first: windows[0][0], permanent: null, windows, truncated: start + MAX_WINDOWS <= most };
  }

  const instancesFor = (tasks, stairs) => Math.max(stairs.fewest, ceil(tasks / stairs.capacity));
  function atVolume(stairs, tasks, box, api) {
    if (tasks === null || tasks === undefined) return null;
    const apiUsd = stairs.usdPerTask * tasks + (api.fixed_usd_per_month ?? 0);
    let instances = null, selfUsd = null, utilization = null, winner = "api";
    if (stairs.capacity !== null) {
      instances = instancesFor(tasks, stairs);
      selfUsd = instances * stairs.month + (box.fixed_usd_per_month ?? 0);
      utilization = tasks / (instances * stairs.capacity);
      if (selfUsd <= apiUsd + ROUNDING * Math.max(selfUsd, apiUsd)) winner = "self_host";
    }
    return {
      tasks_per_month: tasks, instances, utilization, self_usd: selfUsd, api_usd: apiUsd,
      self_usd_per_task: selfUsd !== null && tasks > 0 ? selfUsd / tasks : null, winner,
    };
  }

  function decide(input) {
    const { workload: work, self_host: box, api } = input;
    const stairs = staircase(input, box.goodput_requests_per_s);
    const found = breakEven(stairs);
    const ends = [box.goodput_low ?? null, box.goodput_high ?? null];
    const verdictAt = (goodput) => breakEven(staircase(input, goodput)).verdict;
    return {
      api_usd_per_task: stairs.usdPerTask,
      attempts_per_task: attempts(work),
      success_rate: successRate(work),
      capacity_tasks_per_month: stairs.capacity,
      verdict: found.verdict,
      first_win_tasks_per_month: found.first,
      permanent_win_tasks_per_month: found.permanent,
      winning_windows: found.windows,
      windows_truncated: found.truncated,
      min_goodput_requests_per_s: stairs.usdPerTask <= 0 ? null
        : stairs.month * callsAtPeak(work) / (stairs.usdPerTask * (box.max_load ?? 1) * SECONDS),
      at_volume: atVolume(stairs, work.tasks_per_month, box, api),
      interval: ends.includes(null) ? null : { verdict_at_low: verdictAt(ends[0]), verdict_at_high: verdictAt(ends[1]) },
    };
  }

  // ---- the sentence, word for word as harness/cost/breakeven/words.py, rounded as harness/base/rounding.py
  const grouped = (value, digits) =>
    value.toLocaleString("en-US", { minimumFractionDigits: digits, maximumFractionDigits: digits });
  function short(value, digits = 3) { // Python's %.3g
    const [figures, exponent] = value.toExponential(digits - 1).split("e");
    const power = Number(exponent);
    if (value !== 0 && (power < -4 || power >= digits)) {
      return `${Number(figures)}e${power < 0 ? "-" : "+"}${String(Math.abs(power)).padStart(2, "0")}`;
    }
    return String(Number(value.toPrecision(digits)));
  }
  const significant = (value) => grouped(value, Math.min(20, 2 - Math.floor(Math.log10(Math.abs(value)))));
  function usd(amount) {
    const size = Math.abs(amount);
    if (size >= 99.995 || size === 0) return `USD ${grouped(amount, 0)}`;
    return `USD ${size >= 0.995 ? grouped(amount, 2) : significant(amount)}`;
  }
  function volume(tasks, digits = 3) {
    for (const [size, suffix] of [[1e9, "B"], [1e6, "M"], [1e3, "k"]]) {
      if (tasks >= 0.9995 * size) {
        return (tasks < 999.5 * size ? short(tasks / size, digits) : grouped(tasks / size, 0)) + suffix;
      }
    }
    return short(tasks, digits);
  }
  function volumes(tasks) { // each with as many digits as tell it from its neighbours
    const digits = tasks.map(() => 3);
    for (let i = 0; i + 1 < tasks.length; i += 1) {
      const apart = [3, 4, 5, 6, 7, 8, 9].find((d) => volume(tasks[i], d) !== volume(tasks[i + 1], d)) ?? 3;
      digits[i] = Math.max(digits[i], apart);
      digits[i + 1] = apart;
    }
    return tasks.map((one, i) => volume(one, digits[i]));
  }
  function windowEnds(windows) {
    const shown = volumes(windows.flat().filter((edge) => edge !== null));
    return windows.map(([, high]) => [shown.shift(), high === null ? null : shown.shift()]);
  }
  const exactVolume = (tasks) => Number.isInteger(tasks) ? grouped(tasks, 0)
    : Number(tasks.toPrecision(6)).toLocaleString("en-US", { maximumFractionDigits: 20 });

  function sentence(given, decided) {
    const at = decided.at_volume;
    if (decided.capacity_tasks_per_month === null) return infeasible(decided, at);
    const clauses = at === null ? [] : [atVolumeWords(at)];
    clauses.push(decided.verdict === "never" ? neverWords(given, decided) : windowWords(decided));
    clauses.push(...intervalWords(decided));
    const said = `${clauses.join("; ")}.`;
    return said[0].toUpperCase() + said.slice(1);
  }
  function infeasible(decided, at) {
    const needed = decided.min_goodput_requests_per_s;
    const more = needed === null ? "" : `; it would have to serve ${short(needed)} requests/s within them`;
    const bill = at === null ? ""
      : `, and at your ${exactVolume(at.tasks_per_month)} tasks a month the API costs ${usd(at.api_usd)}`;
    return "Self-hosting never wins on this evidence: no load step met the latency limits, "
      + `so the box has no capacity to price${more}${bill}.`;
  }
  function atVolumeWords(at) {
    const saved = Math.abs(at.api_usd - at.self_usd);
    const where = `at your ${exactVolume(at.tasks_per_month)} tasks a month`;
    if (saved <= ROUNDING * Math.max(at.api_usd, at.self_usd)) return `${where} both cost the same`;
    const boxes = at.instances > 1 ? ` (${grouped(at.instances, 0)} instances)` : "";
    const who = at.winner === "self_host" ? "self-hosting" : "the API";
    return `${where}${boxes} ${who} wins by ${usd(saved)} a month`;
  }
  function neverWords(given, decided) {
    if (decided.api_usd_per_task <= 0) return "self-hosting never wins, because the API is free";
    const saves = decided.api_usd_per_task * decided.capacity_tasks_per_month;
    const costs = given.self_host.usd_per_hour * HOURS;
    if (saves > costs) return "self-hosting never wins at a volume that makes sense";
    return `self-hosting never wins, because one full box saves ${usd(saves)} and costs ${usd(costs)} a month`;
  }
  function windowWords(decided) {
    const windows = windowEnds(decided.winning_windows);
    if (decided.verdict === "window") return boundedWords(windows, decided.windows_truncated);
    const [from, end] = windows[0], last = windows[windows.length - 1][0];
    if (windows.length === 1) {
      const atOnce = decided.first_win_tasks_per_month === 0;
      return `self-hosting wins ${atOnce ? "at every volume" : `from ${from} tasks a month on`}`;
    }
    const start = `self-hosting wins from ${from} tasks a month`;
    if (windows.length === 2) return `${start}, loses again from ${end} to ${last}, and wins for good above that`;
    const gaps = decided.windows_truncated ? "many" : String(windows.length - 1);
    return `${start}, loses again in ${gaps} stretches from ${end} on, and wins for good from ${last}`;
  }
  function boundedWords(windows, truncated) {
    const [from, to] = windows[0];
    const said = `self-hosting wins only ${from === to ? `at ${from}` : `from ${from} to ${to}`} tasks a month`;
    if (windows.length === 1) return said;
    return `${said} and in ${truncated ? "many" : windows.length - 1} more stretches above, never for good`;
  }
  function intervalWords(decided) {
    if (decided.interval === null) return [];
    const { verdict_at_low: atLow, verdict_at_high: atHigh } = decided.interval;
    if (atLow === atHigh && atHigh === decided.verdict) return [];
    const names = { yes: "wins from some volume on", window: "wins only in some range", never: "never wins" };
    return [`at the low end of the goodput it ${names[atLow]}, at the high end it ${names[atHigh]}`];
  }

  return { decide, sentence, staircase, instancesFor, usd, volume, exactVolume, grouped };
})();
