// `decide` and its sentence, the same arithmetic as harness/cost: see there for the formulas and their names.
// Takes and returns the objects of `breakeven decide`; inputs must be in range already.
const breakeven = (() => {
  "use strict";
  const HOURS = 730, HOUR_S = 3600, SECONDS = HOURS * HOUR_S, MTOK = 1e6;
  const ROUNDING = 1e-12, MAX_WINDOWS = 100, MOST_LEVELS = 5000, FIRST_LEVELS = 300, HUGE = 1e300;
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
  const ownTokens = (api, given, cached, output) => {
    const ratio = api.tokenizer_ratio ?? 1, all = given * ratio;
    const read = (api.cached_share ?? null) === null ? cached * ratio : all * api.cached_share;
    return [all, read, output * ratio * (api.output_ratio ?? 1) + (api.reasoning_tokens ?? 0)];
  };
  function callUsd(kind, api) {
    const cachedPrice = api.cached_input_usd_per_mtok ?? api.input_usd_per_mtok;
    const [given, cached, output] =
      ownTokens(api, kind.input_tokens, kind.cached_input_tokens ?? 0, kind.output_tokens);
    const tokensUsd = ((given - cached) * api.input_usd_per_mtok + cached * cachedPrice
      + output * api.output_usd_per_mtok) / MTOK;
    return (tokensUsd + (api.usd_per_request ?? 0)) * (1 + (api.surcharge ?? 0));
  }
  function overClasses(classes, valueOf) {
    const total = sum(classes.map((c) => c.weight ?? 1));
    return sum(classes.map((c) => (c.weight ?? 1) / total * valueOf(c)));
  }
  const reached = (work) => 1 - (work.response_cache_hit_rate ?? 0);
  const boxCalls = (work) => attempts(work) * reached(work);
  const apiCalls = (work, api) =>
    ((api.success_rate ?? null) === null ? attempts(work) : successRate(work) / api.success_rate) * reached(work);
  const taskUsd = (work, api) => overClasses(work.classes, (c) => callUsd(c, api)) * apiCalls(work, api);
  const callsAtPeak = (work) => peak(work) * boxCalls(work);
  function unitTasks(work, api) { // tasks a month that one unit of the API's capacity serves
    if ((api.unit_tokens_per_s ?? null) === null) return api.unit_tasks_per_month ?? Infinity;
    const mean = (key) => overClasses(work.classes, (c) => c[key] ?? 0);
    const [given, , output] =
      ownTokens(api, mean("input_tokens"), mean("cached_input_tokens"), mean("output_tokens"));
    const atPeak = peak(work) * (given + output) * apiCalls(work, api);
    return atPeak ? api.unit_tokens_per_s * SECONDS / atPeak : Infinity;
  }

  const isMetered = (box) => box.billing === "per_second";
  const secondUsd = (box) => box.usd_per_second ?? box.usd_per_hour / HOUR_S;
  const fewestOf = (box) => box.min_instances ?? 1;
  const comesAndGoes = ({ workload, self_host: box }) =>
    fewestOf(box) === 0 && !isMetered(box) && Boolean(workload.hourly_profile);

  function hoursOf(input, goodput) { // the hours of instances that come and go
    if (!comesAndGoes(input) || !goodput) return null;
    const { workload, self_host: box } = input, profile = workload.hourly_profile;
    const cycles = HOURS / profile.length, total = sum(profile);
    const fullHour = (box.max_load ?? 1) * goodput * HOUR_S / boxCalls(workload);
    const all = profile.map((weight) => weight > 0 ? fullHour * cycles * total / weight : Infinity);
    const rises = all.map((now, i) => [now, all[(i + all.length - 1) % all.length]]).filter(([now, then]) => now < then);
    const fills = all.filter((fill) => fill < Infinity);
    const hourUsd = cycles * box.usd_per_hour;
    const startUsd = hourUsd * ((box.cold_start_s ?? 0) + (box.idle_s ?? 0)) / HOUR_S;
    const bill = (count) => hourUsd * sum(fills.map(count))
      + startUsd * sum(rises.map(([now, then]) => Math.max(0, count(now) - count(then))));
    const needed = (tasks) => sum(fills.map((fill) => ceil(tasks / fill)));
    return {
      usdPerTask: hourUsd * sum(fills.map((fill) => 1 / fill))
        + startUsd * sum(rises.map(([now, then]) => 1 / now - 1 / then)),
      above: (hourUsd + startUsd) * fills.length,
      below: Math.max(0, startUsd - hourUsd) * rises.filter(([, then]) => then < Infinity).length,
      usd: (tasks) => bill((fill) => ceil(tasks / fill)),
      usdAfter: (tasks) => bill((fill) => fill < Infinity ? floor(tasks / fill) + 1 : 0),
      utilization: (tasks) => needed(tasks) ? tasks * sum(fills.map((fill) => 1 / fill)) / needed(tasks) : 0,
      nextStep: (tasks) => Math.min(...fills.map((fill) => fill * (floor(tasks / fill) + 1))),
      stepBefore: (tasks) => Math.max(...fills.map((fill) => fill * Math.max(0, ceil(tasks / fill) - 1))),
    };
  }

  // both bills as functions of the volume: harness/cost/breakeven/staircase.py
  function staircase(input, goodput) {
    const { workload, self_host: box, api } = input;
    const capacity = goodput ? (box.max_load ?? 1) * goodput * SECONDS / callsAtPeak(workload) || null : null;
    const size = unitTasks(workload, api), price = api.units_usd_per_month ?? 0;
    const hasUnits = price > 0 && size < Infinity, hours = hoursOf(input, goodput);
    const ownTask = (box.usd_per_task ?? 0) * reached(workload);
    const usdPerTask = taskUsd(workload, api) + (api.usd_per_task ?? 0) * reached(workload), month = box.usd_per_hour * HOURS, fewest = fewestOf(box);
    const ownFixed = box.fixed_usd_per_month ?? 0;
    const apiBase = (api.fixed_usd_per_month ?? 0) + (hasUnits ? 0 : price);
    const seconds = isMetered(box) && goodput ? ceil(box.service_s ?? 1 / goodput) : null;
    const metered = seconds === null ? null : seconds * secondUsd(box) * boxCalls(workload);
    const running = (tasks) => Math.max(fewest, ceil(tasks / capacity));
    const after = (tasks) => Math.max(fewest, floor(tasks / capacity) + 1);
    return {
      usdPerTask, ownTask, month, capacity, fewest, hours, metered, hasUnits, unit: hasUnits ? price : 0, size,
      ownFixed, apiBase, fixed: ownFixed - apiBase, usdPerTaskUsedUp: usdPerTask + (hasUnits ? price / size : 0),
      apiUsd: (tasks) => usdPerTask * tasks + apiBase + (hasUnits ? Math.max(1, ceil(tasks / size)) * price : 0),
      apiUsdAfter: (tasks) => usdPerTask * tasks + apiBase + (hasUnits ? (floor(tasks / size) + 1) * price : 0),
      ownUsd: (tasks) => (metered !== null ? metered * tasks : hours ? hours.usd(tasks) : running(tasks) * month)
        + ownFixed + ownTask * tasks,
      ownUsdAfter: (tasks) => (hours ? hours.usdAfter(tasks) : after(tasks) * month) + ownFixed + ownTask * tasks,
      nextStep: (tasks) => hours ? hours.nextStep(tasks) : after(tasks) * capacity,
      stepBefore: (tasks) => {
        if (hours) return hours.stepBefore(tasks);
        const before = ceil(tasks / capacity) - 1;
        return before >= fewest ? before * capacity : 0;
      },
      utilization: (tasks) => hours ? hours.utilization(tasks)
        : running(tasks) ? tasks / (running(tasks) * capacity) : 0,
    };
  }
  function apiReaches(stairs, usd, base) { // the volume from which the API's bill above its base is no lower
    let left = settle(usd - base, usd), start = 0;
    if (stairs.hasUnits) {
      const units = Math.max(1, ceil(left / (stairs.usdPerTask * stairs.size + stairs.unit)));
      left = settle(left - units * stairs.unit, left);
      start = (units - 1) * stairs.size;
    }
    if (left <= 0) return start;
    return stairs.usdPerTask > 0 ? Math.max(start, left / stairs.usdPerTask) : Infinity;
  }
  const low = (stairs, n) => Math.max( // the volume from which n instances cost no more than the API
    n > stairs.fewest ? (n - 1) * stairs.capacity : 0, apiReaches(stairs, n * stairs.month, -stairs.fixed));

  // ---- the rule: harness/cost/breakeven/rule.py, windows.py and walk.py
  const gainOf = (worth, cost) => settle(worth - cost, worth);
  function winsForGood(gain, fixed, step) {
    const settled = settle(fixed + step, Math.abs(fixed) + Math.abs(step));
    return (gain > 0 && settled <= HUGE * gain) || (gain === 0 && settled <= 0);
  }
  const winsAtFirst = (gain, fixed, fewest) => fixed <= 0 && settle(fewest * gain - fixed, fixed) >= 0;

  function net(stairs) { // what a task takes on the box's side is taken off its price at the API
    if (!stairs.ownTask) return stairs;
    const { ownTask, ownUsd, ownUsdAfter, apiUsd, apiUsdAfter } = stairs;
    const usdPerTask = settle(stairs.usdPerTask - ownTask, ownTask);
    return {
      ...stairs, ownTask: 0, usdPerTask, usdPerTaskUsedUp: usdPerTask + (stairs.hasUnits ? stairs.unit / stairs.size : 0),
      ownUsd: (tasks) => ownUsd(tasks) - ownTask * tasks, ownUsdAfter: (tasks) => ownUsdAfter(tasks) - ownTask * tasks,
      apiUsd: (tasks) => apiUsd(tasks) - ownTask * tasks, apiUsdAfter: (tasks) => apiUsdAfter(tasks) - ownTask * tasks,
    };
  }
  function losingByTheTask(stairs) { // only a fee of the API carries what each task takes more on the box's side
    const dearer = -stairs.usdPerTask;
    let at = 0, top = 0;
    for (let i = 0; i < MOST_LEVELS; i += 1) {
      const room = settle(stairs.apiBase - stairs.ownUsdAfter(at), stairs.apiBase);
      if (room < dearer * at || room < 0) break;
      const end = stairs.nextStep(at);
      top = Math.min(end, room / dearer);
      if (top < end) break;
      at = end;
    }
    const idle = stairs.hours && settle(stairs.apiUsd(0) - stairs.ownUsd(0), stairs.apiUsd(0)) > 0;
    return found(top > 0 || idle ? [[0, top]] : [], Infinity, false);
  }

  function breakEven(given) {
    if (!given.capacity) return NEVER;
    const stairs = net(given);
    if (stairs.metered === null && stairs.usdPerTask < 0) return losingByTheTask(stairs);
    if (stairs.metered !== null) return metered(stairs, stairs.metered);
    if (stairs.hasUnits || stairs.hours) return walked(stairs);
    const { fixed, month, fewest } = stairs;
    const gain = gainOf(stairs.usdPerTask * stairs.capacity, month);
    const settled = settle(fixed + month, Math.max(Math.abs(fixed), month));
    if (winsForGood(gain, fixed, month)) {
      if (gain === 0) return alwaysFrom(low(stairs, fewest));
      return forGood(stairs, Math.max(fewest, ceil(fixed / gain)), Math.max(fewest, ceil(settled / gain)));
    }
    return winsAtFirst(gain, fixed, fewest) ? inWindows(stairs, gain, settled) : NEVER;
  }
  const alwaysFrom = (start) =>
    ({ verdict: "yes", first: start, permanent: start, windows: [[start, null]], truncated: false });
  function forGood(stairs, first, last) {
    const windows = [];
    for (let n = first; n < last && windows.length < MAX_WINDOWS; n += 1) {
      windows.push([low(stairs, n), n * stairs.capacity]);
    }
    const permanent = low(stairs, last);
    windows.push([permanent, null]);
    return { verdict: "yes", first: low(stairs, first), permanent, windows, truncated: last - first > MAX_WINDOWS };
  }
  function inWindows(stairs, gain, settled) {
    const most = gain === 0 ? Infinity : Math.max(stairs.fewest, floor(stairs.fixed / gain));
    let joined = stairs.fewest - 1; // the last n whose window the next one continues
    if (settled <= 0) joined = Math.max(joined, floor(settled / gain));
    const start = Math.min(joined + 1, most);
    const windows = [[low(stairs, stairs.fewest), start * stairs.capacity]];
    while (windows.length < MAX_WINDOWS && start + windows.length <= most) {
      const n = start + windows.length;
      windows.push([low(stairs, n), n * stairs.capacity]);
    }
    return { verdict: "window", first: windows[0][0], permanent: null, windows, truncated: start + MAX_WINDOWS <= most };
  }

  const isTie = (one, other) => settle(one - other, Math.max(Math.abs(one), Math.abs(other))) === 0;
  const noMore = (own, api) => own <= api || isTie(own, api);
  const winsAt = (stairs, tasks) => noMore(stairs.ownUsd(tasks), stairs.apiUsd(tasks));
  const winsAfter = (stairs, tasks) => noMore(stairs.ownUsdAfter(tasks), stairs.apiUsdAfter(tasks));
  const winsFrom = (stairs, start) => Math.max(start, apiReaches(stairs, stairs.ownUsdAfter(start), stairs.apiBase));
  function walked(stairs) {
    const { hours, month, capacity, fixed, fewest } = stairs;
    const gain = gainOf(stairs.usdPerTaskUsedUp, hours ? hours.usdPerTask : month / capacity);
    const above = hours ? hours.above : month, room = stairs.unit + (hours ? hours.below : 0) - fixed;
    let permanent = Infinity;
    if (winsForGood(gain, fixed, above)) {
      const flat = hours ? 0 : fewest * capacity;
      permanent = lastWin(stairs, gain > 0 ? Math.max(flat, (fixed + above) / gain) : flat);
    }
    const lowest = gain > 0 ? Math.max(0, -room / gain) : 0;
    const highest = gain < 0 ? room / -gain : gain > 0 || room >= 0 ? Infinity : -1;
    const [windows, truncated] = windowsBelow(stairs, permanent, lowest, highest);
    const idle = stairs.apiUsd(0) - stairs.ownUsd(0); // a fee saved in a month without tasks
    if (hours && (windows.length ? windows[0][0] : permanent) > 0 && settle(idle, stairs.apiUsd(0)) > 0) {
      windows.unshift([0, 0]);
    }
    return found(windows, permanent, truncated);
  }
  function lastWin(stairs, sure) { // from a volume where it surely wins, downwards
    for (let i = 0; i < MOST_LEVELS; i += 1) {
      const start = stairs.stepBefore(sure);
      if (start <= 0 || !winsAfter(stairs, start)) return winsFrom(stairs, start);
      if (!winsAt(stairs, start)) return start;
      sure = start;
    }
    return sure;
  }
  function windowsBelow(stairs, permanent, lowest, highest) {
    const windows = [], end = Math.min(permanent, highest);
    let at = stairs.stepBefore(lowest), from = null;
    for (let i = 0; i < MOST_LEVELS; i += 1) {
      if (windows.length === MAX_WINDOWS || (from === null && at >= end)) break;
      if (i === FIRST_LEVELS && from === null && !windows.length && permanent === Infinity) break;
      const next = stairs.nextStep(at);
      if (from === null && winsAt(stairs, next)) {
        from = winsFrom(stairs, at);
        if (permanent < Infinity && (from >= permanent || isTie(from, permanent))) return [windows, false];
      }
      if (from !== null && !winsAfter(stairs, next)) {
        windows.push([from, next]);
        from = null;
      }
      at = next;
    }
    if (from !== null) windows.push([from, at]);
    return [windows, from !== null || at < end];
  }
  function found(windows, permanent, truncated) {
    if (permanent < Infinity) {
      const all = [...windows, [permanent, null]];
      return { verdict: "yes", first: all[0][0], permanent, windows: all, truncated };
    }
    return windows.length ? { verdict: "window", first: windows[0][0], permanent: null, windows, truncated } : NEVER;
  }
  function metered(stairs, own) { // paid by the request: the box's bill is a line too
    const dearer = settle(own - stairs.usdPerTask, own), { fixed } = stairs;
    if (dearer <= 0) {
      const start = apiReaches({ ...stairs, usdPerTask: -dearer }, stairs.ownFixed, stairs.apiBase);
      return start < Infinity ? alwaysFrom(start) : NEVER;
    }
    if (stairs.hasUnits) return meteredAgainstUnits(stairs, dearer);
    return fixed < 0 ? found([[0, -fixed / dearer]], Infinity, false) : NEVER;
  }
  function meteredAgainstUnits(stairs, dearer) {
    const { unit, size, fixed } = stairs, gain = gainOf(unit, dearer * size);
    let first = 1, whole = 0, permanent = Infinity;
    if (winsForGood(gain, fixed, 0)) {
      permanent = ((gain ? Math.max(1, ceil(fixed / gain)) : 1) - 1) * size;
      first = gain ? Math.max(1, floor((fixed - dearer * size) / gain) + 1) : 1;
    } else if (fixed < 0) whole = floor(fixed / gain);
    const windows = [];
    for (let n = Math.max(first, whole + 1); windows.length < MAX_WINDOWS && (n - 1) * size < permanent; n += 1) {
      const top = (n * unit - fixed) / dearer;
      if (top <= (n - 1) * size) break;
      windows.push([n === whole + 1 ? 0 : (n - 1) * size, top]);
    }
    if (!windows.length && whole) windows.push([0, whole * size]);
    return found(windows, permanent, windows.length === MAX_WINDOWS);
  }

  function minGoodput({ workload: work, self_host: box, api }) {
    const perTask = taskUsd(work, api) + (api.units_usd_per_month ?? 0) / unitTasks(work, api)
      + ((api.usd_per_task ?? 0) - (box.usd_per_task ?? 0)) * reached(work);
    if (isMetered(box)) {
      const aSecond = secondUsd(box) * boxCalls(work), affordable = aSecond > 0 ? floor(perTask / aSecond) : Infinity;
      if ((box.service_s ?? null) !== null) return ceil(box.service_s) <= affordable ? 0 : null;
      return affordable > 0 ? 1 / affordable : null;
    }
    if (perTask <= 0) return null;
    const calls = fewestOf(box) === 0 ? boxCalls(work) : callsAtPeak(work);
    return box.usd_per_hour * HOURS * calls / (perTask * (box.max_load ?? 1) * SECONDS);
  }

  function atVolume(stairs, tasks) {
    if (tasks === null || tasks === undefined) return null;
    const apiUsd = stairs.apiUsd(tasks);
    let instances = null, selfUsd = null, utilization = null, winner = "api";
    if (stairs.capacity !== null) {
      instances = Math.max(stairs.fewest, ceil(tasks / stairs.capacity));
      selfUsd = stairs.ownUsd(tasks);
      utilization = stairs.utilization(tasks);
      if (noMore(selfUsd, apiUsd)) winner = "self_host";
    }
    return {
      tasks_per_month: tasks, instances, utilization, self_usd: selfUsd, api_usd: apiUsd,
      self_usd_per_task: selfUsd !== null && tasks > 0 ? selfUsd / tasks : null, winner,
    };
  }

  function decide(input) {
    const { workload: work, self_host: box } = input;
    const stairs = staircase(input, box.goodput_requests_per_s);
    const found = breakEven(stairs);
    const ends = [box.goodput_low ?? null, box.goodput_high ?? null];
    const verdictAt = (goodput) => breakEven(staircase(input, goodput)).verdict;
    return {
      api_usd_per_task: taskUsd(work, input.api),
      attempts_per_task: attempts(work),
      success_rate: successRate(work),
      capacity_tasks_per_month: stairs.capacity,
      verdict: found.verdict,
      first_win_tasks_per_month: found.first,
      permanent_win_tasks_per_month: found.permanent,
      winning_windows: found.windows,
      windows_truncated: found.truncated,
      min_goodput_requests_per_s: minGoodput(input),
      at_volume: atVolume(stairs, work.tasks_per_month),
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
  function stretches(box, decided) { // the winning windows as far as the goodput is known: stretches.py
    const goodput = box.goodput_requests_per_s, low = box.goodput_low ?? null, high = box.goodput_high ?? null;
    const known = goodput && low !== null && high !== null;
    const less = known ? low / goodput : 1, more = known ? high / goodput : 1;
    const folded = [];
    for (const [start, end] of decided.winning_windows) {
      const before = folded[folded.length - 1];
      if (before && before.end !== null && more > 1 && before.end * more >= start) Object.assign(before, { end, about: true });
      else folded.push({ start, end, about: false });
    }
    for (const one of folded) {
      if (one.end === null || one.end * less >= one.start) continue;
      const middle = (one.start + one.end) / 2;
      Object.assign(one, { start: middle, end: middle, about: true });
    }
    const exact = volumes(folded.filter((one) => !one.about)
      .flatMap((one) => [one.start, one.end]).filter((edge) => edge !== null));
    return folded.map(({ start, end, about }) => {
      const from = about ? volume(start) : exact.shift();
      const to = end === null ? null : about ? volume(end) : exact.shift();
      const said = about ? `about ${from}` : from;
      const words = to === null ? `from ${said} on` : to === from ? `at ${said}` : `from ${said} to ${to}`;
      return { from, to, said, words, isPoint: about && from === to };
    });
  }
  const exactVolume = (tasks) => Number.isInteger(tasks) ? grouped(tasks, 0)
    : Number(tasks.toPrecision(6)).toLocaleString("en-US", { maximumFractionDigits: 20 });
  const tasksWords = (tasks) => `${exactVolume(tasks)} task${tasks === 1 ? "" : "s"}`;

  function sentence(given, decided, people = null) { // words.py; people: those within the box's fixed costs
    const at = decided.at_volume;
    if (decided.capacity_tasks_per_month === null) return infeasible(decided, at);
    const counted = people !== null && people.usd_per_month > 0 ? people : null;
    const said = [whereWords(given, decided, counted), ...intervalWords(decided)].join("; ");
    if (at === null) return `${said[0].toUpperCase()}${said.slice(1)}.`;
    const month = atVolumeWords(at, counted);
    return `${month}; ${month.endsWith("self-hosting wins") ? said.replace("self-hosting", "it") : said}.`;
  }
  const PARTS = { 0.25: ["quarter engineer", "a quarter of an engineer"], 0.5: ["half engineer", "half an engineer"],
    1: ["engineer", "one engineer"] };
  function engineers(people) {
    const pay = people.assumed || people.fte === null ? null : people.assumed_usd_per_year ?? null;
    const some = people.assumed_pay_fte ?? null, whose = some === null ? "" : `, ${short(some, 6)} of them`;
    return whoseTime(people) + (pay === null ? "" : `${whose} at an assumed ${usd(pay)} a year`);
  }
  function whoseTime({ fte, assumed }) {
    if (fte === null) return assumed ? "assumed people" : "people";
    if (fte > 1) return `${short(fte, 6)} ${assumed ? "assumed " : ""}engineers`;
    const name = PARTS[fte];
    if (!name) return `${short(fte, 6)} of an ${assumed ? "assumed " : ""}engineer`;
    return assumed ? `an assumed ${name[0]}` : name[1];
  }
  function infeasible(decided, at) {
    const needed = decided.min_goodput_requests_per_s;
    const more = needed === null ? "" : `; it would have to serve ${short(needed)} requests/s within them`;
    const bill = at === null ? ""
      : `, and at your ${tasksWords(at.tasks_per_month)} a month the API costs ${usd(at.api_usd)}`;
    return "Self-hosting never wins on this evidence: no load step met the latency limits, "
      + `so the box has no capacity to price${more}${bill}.`;
  }
  const amount = (value) => usd(value).slice("USD ".length);
  function atVolumeWords(at, people) {
    const tie = Math.abs(at.api_usd - at.self_usd) <= ROUNDING * Math.max(at.api_usd, at.self_usd);
    const madeOf = at.instances > 1 ? [`${grouped(at.instances, 0)} instances`] : [];
    if (people !== null) madeOf.push(`${amount(people.usd_per_month)} of it ${engineers(people)}`);
    const own = usd(at.self_usd) + (madeOf.length ? ` (${madeOf.join(", ")})` : "");
    const who = tie ? "both cost the same" : at.winner === "self_host" ? "self-hosting wins" : "the API wins";
    return `At your ${tasksWords(at.tasks_per_month)} a month self-hosting costs ${own} and the API `
      + `${amount(at.api_usd)}: ${who}`;
  }
  function whereWords(given, decided, people) {
    const box = given.self_host, unit = decided.at_volume === null ? " tasks a month" : "";
    const never = decided.verdict === "never";
    const said = never ? neverWords(given) : `self-hosting ${windowWords(box, decided, unit)}`;
    if (people === null) return said;
    const left = { ...box, fixed_usd_per_month: Math.max(0, (box.fixed_usd_per_month ?? 0) - people.usd_per_month) };
    const struck = decide({ ...given, self_host: left });
    if (JSON.stringify(struck.winning_windows) === JSON.stringify(decided.winning_windows)) return said;
    let whom = "without the people";
    if (decided.at_volume === null) whom += ` (${engineers(people)}, ${usd(people.usd_per_month)} a month)`;
    const where = windowWords(left, struck, never ? unit : "");
    if (stretches(box, decided).length === 1 && stretches(left, struck).length === 1 && struck.verdict === "yes") {
      return `${said}, ${whom} ${where.replace(/^wins /, "")}`;
    }
    return `${said}; ${whom} it ${where}`;
  }
  function neverWords(given) {
    const stairs = net(staircase(given, given.self_host.goodput_requests_per_s));
    const api = stairs.usdPerTaskUsedUp, never = "self-hosting never wins";
    if (api < 0) {
      return `${never}, because a task costs ${usd(-api)} less at the API, people included, before any instance`;
    }
    if (api <= 0 && stairs.apiBase <= 0) return `${never}, because the API is free`;
    if (stairs.metered !== null || stairs.hours) {
      const own = stairs.metered ?? stairs.hours.usdPerTask;
      if (own <= api) return `${never} at a volume that makes sense`;
      return `${never}, because a task costs ${usd(own)} on the box${stairs.hours ? " with every hour full" : ""} `
        + `and ${usd(api)} at the API`;
    }
    if (api <= 0) {
      const boxes = stairs.fewest === 1 ? "one box" : `${grouped(stairs.fewest, 0)} boxes`;
      return `${never}, because the API takes ${usd(stairs.apiBase)} a month whatever the volume, `
        + `and ${boxes} ${usd(stairs.fewest * stairs.month + stairs.ownFixed)}`;
    }
    const saves = api * stairs.capacity;
    if (saves > stairs.month) return `${never} at a volume that makes sense`;
    return `${never}, because one full box saves ${usd(saves)} and costs ${usd(stairs.month)} a month`;
  }
  function windowWords(box, decided, unit) {
    const [first, ...others] = stretches(box, decided);
    if (decided.permanent_win_tasks_per_month === null) return boundedWords(first, others.length, unit, decided.windows_truncated);
    if (!others.length) {
      return decided.first_win_tasks_per_month === 0 ? "wins at every volume" : `wins from ${first.said}${unit} on`;
    }
    const good = others[others.length - 1].said, gaps = decided.windows_truncated ? "many" : String(others.length);
    if (first.isPoint) {
      const more = others.length === 1 ? "" : " and in more stretches above";
      return `may win at ${first.said}${unit}${more}, and wins for good from ${good}`;
    }
    const start = `wins from ${first.said}${unit}, loses again`;
    if (gaps === "1") return `${start} from ${first.to} to ${good}, and wins for good above that`;
    return `${start} in ${gaps} stretches from ${first.to} on, and wins for good from ${good}`;
  }
  function boundedWords(first, others, unit, truncated) {
    const said = first.isPoint ? `may win at ${first.said}${unit} only` : `wins only ${first.words}${unit}`;
    return others ? `${said} and in ${truncated ? "many" : others} more stretches above, never for good` : said;
  }
  function intervalWords(decided) {
    if (decided.interval === null) return [];
    const { verdict_at_low: atLow, verdict_at_high: atHigh } = decided.interval;
    if (atLow === atHigh && atHigh === decided.verdict) return [];
    const names = { yes: "wins from some volume on", window: "wins only in some range", never: "never wins" };
    return [`at the low end of the goodput it ${names[atLow]}, at the high end it ${names[atHigh]}`];
  }

  return { decide, sentence, staircase, apiReaches, usd, volume, exactVolume, grouped };
})();
