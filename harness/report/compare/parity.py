"""What was unequal between runs: the work itself, which forbids a winner, what is compared, the engines' nature."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from harness.base.engine_options import is_assigned, options_in
from harness.base.rounding import significant
from harness.base.weights_name import same_weights, shown_name
from harness.cost.box.engine_memory import memory_of
from harness.cost.box.weights import Weights, weights_of, weights_unsaid
from harness.report.compare.nature import natures
from harness.report.model import RunFiles
from harness.report.text import clean, percent, price
from harness.rundir.manifest import RunManifest
from harness.rundir.results import Metrics, Step

OUTPUT_LENGTH_TOLERANCE = 0.01  # mean tokens of two runs further apart than this are other work
INPUT_LENGTH_TOLERANCE = 0.05
CACHE_SHARE_TOLERANCE = 0.01
UNKNOWN = "unknown"
_NOT_WORK = {"name", "seed"}  # another seed draws other prompts of the same shape


About = Literal["work", "subject", "nature"]


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that is not the same in all runs; values are printed, one a run."""

    what: str
    values: tuple[str, ...]
    about: About


def differences(runs: Sequence[RunFiles]) -> list[Difference]:
    """Everything that differs, unequal work first."""
    return [
        *_differing([flat(_work_of(run)) for run in runs], "work"),
        *_weights(runs),
        *_differing([_told(run, _WORK) for run in runs], "work"),
        *_lengths(runs),
        *_cache(runs),
        *_differing([_told(run, _SUBJECT) for run in runs], "subject"),
        *_differing(_flags(runs), "subject"),
        *_natures(runs),
    ]


def unequal_work(found: Sequence[Difference]) -> list[str]:
    """Names of what makes the runs' work unequal."""
    return [difference.what for difference in found if difference.about == "work"]


def unnamed_weights(runs: Sequence[RunFiles]) -> list[str]:
    """That nobody says what was served, in words, once for each name that it was served under."""
    weights = [weights_of(run.run) for run in runs]
    return list(dict.fromkeys(clean(weights_unsaid(one)) for one in weights if one is None or not one.is_known))


def _weights(runs: Sequence[RunFiles]) -> list[Difference]:
    """The weights by what they are, not by how each engine spells them, and their quantisation apart.

    Weights of which nobody says what they are differ from all others, their own name's too.
    """
    weights = [weights_of(run.run) for run in runs]
    found = []
    if not all(_are_the_same(one, other) for i, one in enumerate(weights) for other in weights[:i] or [one]):
        found.append(Difference("model", tuple(map(_printed, weights)), "work"))
    bits = tuple(UNKNOWN if one is None or one.quantization is None else clean(one.quantization) for one in weights)
    if len(set(bits)) > 1:
        found.append(Difference("quantisation", bits, "work"))
    return found


def _are_the_same(one: Weights | None, other: Weights | None) -> bool:
    if one is None or other is None or not (one.is_known and other.is_known):
        return False
    return same_weights(one.name, other.name)


def _printed(weights: Weights | None) -> str:
    if weights is None:
        return UNKNOWN
    name = clean(shown_name(weights.name))
    return name if weights.is_known else f"{UNKNOWN} (served as {name})"


def _natures(runs: Sequence[RunFiles]) -> list[Difference]:
    """A row of what differs; between runs of one engine the flags themselves are rows already."""
    rows = _differing(natures([run.run for run in runs]), "nature")
    return (
        rows
        if len({run.run.engine.get("name") for run in runs}) > 1
        else [row for row in rows if row.what in ("slots", "context length")]
    )


def flat(value: Any, prefix: str = "") -> dict[str, str]:
    """A nested object as `{"a.b": printed value}`; a null is left out, it is the same as not being there."""
    if isinstance(value, Mapping):
        items = ((f"{prefix}.{key}" if prefix else str(key), item) for key, item in value.items())
        return {key: text for name, item in items for key, text in flat(item, name).items()}
    if value is None:
        return {}
    return {prefix: clean(value if isinstance(value, str) else json.dumps(value, default=str))}


def _work_of(files: RunFiles) -> dict[str, Any]:
    """The scenario without what names it, and with the SLO as the limits that it comes to.

    Whether answers are streamed is no work but a way to fetch it: what that costs is a comparison of its own. An
    engine's native route gives the same bare prompt to the model as `completions`; `chat` wraps it in a template.
    """
    slo = files.scenario.slo
    limits = {limit.key: limit.seconds for limit in slo.limits()} | {"error_rate": slo.error_rate}
    work = files.scenario.model_dump(mode="json", exclude=_NOT_WORK)
    del work["request"]["stream"]
    if work["request"]["api"] == "native":
        work["request"]["api"] = "completions"
    return work | {"slo": limits}


def _flags(runs: Sequence[RunFiles]) -> list[dict[str, str]]:
    """Flag by flag between runs of one engine; two engines' flags have no names in common."""
    if len({run.run.engine.get("name") for run in runs}) > 1:
        return []
    named = [flat(named_flags(run.run)) for run in runs]
    return [{f"flag {name}": value for name, value in one.items()} for one in named]


def named_flags(run: RunManifest) -> dict[str, Any]:
    """An engine's flags by name, from `["--ctx-size", "512", "--metrics", "NAME=value"]` or as it reports them.

    Where it listens differs each time and says nothing.
    """
    flags = run.engine.get("flags")
    if isinstance(flags, Mapping):
        named = dict(flags)
    else:
        words = list(map(str, flags or ()))
        options = options_in(run.engine.get("name"), words)
        named = {name: " ".join(values) or "on" for name, values in options.items()}
        named |= {found[1]: found[2] for found in map(is_assigned, words) if found is not None}
    return {key: value for key, value in named.items() if key not in {"host", "port"}}


def _differing(said: Sequence[Mapping[str, str]], about: About) -> list[Difference]:
    """What is not the same in what each run says."""
    rows = {key: tuple(one.get(key, "not set") for one in said) for one in said for key in one}
    return [Difference(clean(key), values, about) for key, values in rows.items() if len(set(values)) > 1]


def _hourly(files: RunFiles) -> str | None:
    return None if files.decision is None else f"{price(files.decision.self_host.instance.usd_per_hour)} USD/h"


def _taken_as(files: RunFiles) -> str:
    """As how many boxes the URLs were priced."""
    boxed = "" if files.decision is None else files.decision.self_host.instance.taken_as
    return boxed or "as driven"


def _gpus_used(files: RunFiles) -> int | None:
    """By all URLs together."""
    said = files.run.identity
    return said.gpus_used.value if said is not None and said.gpus_used is not None else None


def _kernel(files: RunFiles) -> str | None:
    box = files.run.box
    return box.system.kernel if box is not None and box.system is not None else None


Reader = Callable[[RunFiles], Any]
_WORK: tuple[tuple[str, Reader], ...] = (
    ("KV cache", lambda files: f"{memory_of(files.run).kv_bits:g} bits"),
    ("extra body", lambda files: files.run.client.get("extra_body")),
)
_SUBJECT: tuple[tuple[str, Reader], ...] = (
    ("backend", lambda files: files.run.backend),
    ("engine", lambda files: files.run.engine.get("name")),
    ("engine version", lambda files: files.run.engine.get("version")),
    ("streamed", lambda files: "yes" if files.scenario.request.stream else "no"),
    ("route", lambda files: files.scenario.request.api),
    ("instance", lambda files: files.instance),
    ("purchase", lambda files: files.run.instance.get("purchase")),
    ("replicas driven", lambda files: files.run.instance.get("replicas_driven")),
    ("taken as", _taken_as),
    ("GPUs used", _gpus_used),
    ("GPU driver", lambda files: files.run.box.driver if files.run.box is not None else None),
    ("kernel", _kernel),
    ("price of the instance", _hourly),
    ("client machine", lambda files: files.run.client.get("hostname")),
    ("client cores", lambda files: files.run.client.get("cores")),
    ("seed", lambda files: files.run.seed),
    ("breakeven", lambda files: files.run.harness_version),
)


def _told(run: RunFiles, readers: Sequence[tuple[str, Reader]]) -> dict[str, str]:
    told = {what: read(run) for what, read in readers}
    return {what: UNKNOWN if value in (None, "") else clean(value) for what, value in told.items()}


def _lengths(runs: Sequence[RunFiles]) -> list[Difference]:
    """Mean lengths that are other work; not where one plan drew them all and each run served what it was asked for:
    then they differ by the draw alone, by how many of the plan's requests a run came to.
    """
    steps = [run.metrics.decisive for run in runs]
    sides = [("input", INPUT_LENGTH_TOLERANCE, [None if step is None else step.mean_input_tokens for step in steps])]
    if len({_plan(run) for run in runs}) > 1 or not all(step is not None and _as_asked(step) for step in steps):
        means = [None if step is None else step.mean_output_tokens for step in steps]
        sides.append(("output", OUTPUT_LENGTH_TOLERANCE, means))
    found = []
    for side, tolerance, means in sides:
        known = [mean for mean in means if mean]
        if known and max(known) / min(known) - 1 > tolerance:
            printed = tuple(UNKNOWN if mean is None else significant(mean) for mean in means)
            found.append(Difference(f"mean {side} tokens", printed, "work"))
    return found


def _plan(run: RunFiles) -> str:
    """What lengths are drawn from."""
    return run.scenario.prompts.model_dump_json()


def _as_asked(step: Step) -> bool:
    """Whether its answers had the lengths that were asked for."""
    asked, got = step.mean_requested_output_tokens, step.mean_output_tokens
    return asked is not None and got is not None and abs(got - asked) <= OUTPUT_LENGTH_TOLERANCE * asked


def _cache(runs: Sequence[RunFiles]) -> list[Difference]:
    shares = [cached_share(run.metrics) for run in runs]
    known = [share for share in shares if share is not None]
    in_doubt = len(known) < len(shares) and any(
        run.scenario.wants_prefix_reuse for run in runs
    )  # TGI tells nobody of its hits
    if not known or (max(known) - min(known) <= CACHE_SHARE_TOLERANCE and not in_doubt):
        return []
    printed = tuple(UNKNOWN if share is None else percent(share) for share in shares)
    return [Difference("input from the prefix cache", printed, "work")]


def cached_share(metrics: Metrics) -> float | None:
    """Cached over all input tokens at the decisive step; None where the server tells neither."""
    step = metrics.decisive
    if step is None or step.cached_input_tokens is None or not step.mean_input_tokens or not step.e2e_s.n:
        return None
    return step.cached_input_tokens / (step.mean_input_tokens * step.e2e_s.n)
