"""Which weights a name means, however an engine, a file or a host spells it; and what it says of their quantisation."""

import re

SIZE_TOLERANCE = 1 / 3  # of the parameters counted: a `7B` with its embeddings may have 8.5e9
_SIZE = re.compile(r"(?<![\w.])\d+(?:\.\d+)?[bm](?![a-z0-9])")
_QUANTIZATION = re.compile(
    r"(?<![a-z0-9])(?:i?q[1-8](?:_(?:k|s|m|l|xl|xs|xxs|nl|\d)(?![a-z0-9])){0,3}|tq[12]_0|mxfp4|nvfp4|nf4|fp4"
    r"|int[248]|fp8|w\d{1,2}a\d{1,2}|b?f(?:p|loat)?(?:16|32)|[2-8]-?bits?|awq|gptq|bnb|exl[23]|hqq)(?![a-z0-9])"
)
# of `Q5_0+Q8_0-from-Q4_1`, as `engine quantize` names a file: what fewer of the weights are, what they were made from
_BESIDE = re.compile(r"(?:\+|[-._]from-)(?:i?q|tq|mxfp|nvfp|b?f)\d\w*")
_METHODS = frozenset({"awq", "gptq", "bnb"})  # of 4 bits unless another width is said beside it
FORMATS = frozenset({"compressed-tensors", "modelopt", "quark", "torchao"})  # files in any width
_METHOD_WIDTHS = frozenset({"int4", "4bit", "w4a16", "nf4"})
_SAME = {"bfloat16": "bf16", "float16": "f16", "fp16": "f16", "float32": "f32", "fp32": "f32"}
_KINDS = {" - small": "_s", " - medium": "_m", " - large": "_l"}  # as llama.cpp words its file types

_NOISE = frozenset({
    "meta", "instruct", "chat", "it", "hf", "turbo", "versatile", "instant", "lite", "fast", "latest",
    "gguf", "quantized", "dynamic", "ud", "i1", "imat", "mlx", "marlin", "moe",
    "databricks", "mistralai", "google",
})  # fmt: skip
_TUNED = frozenset({"instruct", "chat", "it"})
_NOT_TUNED = frozenset({"base", "text", "pt"})
_PLACES = frozenset({
    "model", "models", "weights", "data", "mnt", "srv", "opt", "home", "root", "workspace", "checkpoints", "cache",
})  # fmt: skip
_ALIASES = frozenset({
    "api", "bench", "default", "dev", "engine", "llm", "local", "main", "model", "my", "prod", "production", "served",
    "staging", "test",
})  # fmt: skip  # what people serve a model as
_ADAPTERS = frozenset({"lora", "qlora", "dora", "peft", "adapter", "adapters"})  # on weights of another name
# of which one size is out under a version, so that their names give none
_OF_ONE_SIZE = frozenset({
    "command", "deepseek", "devstral", "codestral", "glm", "grok", "kimi", "large", "magistral", "maverick", "medium",
    "minimax", "nemo", "phi", "scout", "small",
})  # fmt: skip


def own_name(weights: str) -> str:
    """The hub's id of weights that are named by their place in the hub's cache; any other name as it is."""
    cached = re.search(r"models--([^/\\]{1,200}?)--([^/\\]{1,200})", weights)
    return f"{cached[1]}/{cached[2]}" if cached is not None else weights


def bare_name(weights: str) -> str:
    """Without organisation, directories and a file's ending."""
    name = own_name(weights).replace("\\", "/").rstrip("/").rsplit("/", 1)[-1]
    name = name.replace("___", ".")  # as ModelScope's cache writes a dot
    name = re.sub(r"(?i)\.(?:gguf|safetensors)$", "", name)
    name = re.split(r"(?i)-gguf_(?=.)", name)[-1]  # llama.cpp's cache: owner_repository-GGUF_file
    return re.sub(r"-\d{5}-of-\d{5}$", "", name)


def shown_name(weights: str) -> str:
    """A hub's id as it is; a path's last part."""
    own = own_name(weights)
    return own if _is_hub_id(own) else bare_name(weights)


def weights_key(model: str) -> tuple[str, ...]:
    """The parts of a model's name that say which weights: family, version, size; sorted.

    Example: `meta-llama/Llama-3.1-8B-Instruct`, `llama-v3p1-8b-instruct`, `meta.llama3-1-8b-instruct-v1:0`,
    `llama3.1:8b-instruct-q4_K_M` and `Meta-Llama-3.1-8B-Instruct-Q4_K_M.gguf` all give ('3.1', '8b', 'llama').
    """
    name = re.sub(r"-v1$", "", _QUANTIZATION.sub("", _BESIDE.sub("", _with_its_tag(model))))
    name = re.sub(r"\bv?(\d+)p(\d+)\b", r"\1.\2", name)  # v3p1
    name = re.sub(r"([a-z])(\d+)-(\d+)(?=-)", r"\1-\2.\3", name)  # llama3-1-8b
    name = re.sub(r"(?<=[a-z]{3})(?=\d)", "-", name)  # llama3.1, smollm2
    name = re.sub(r"(?<![\d.])(\d)-(\d)(?=-\d+b)", r"\1.\2", name)  # llama-3-1-8b
    parts = [p.removeprefix("v") if re.fullmatch(r"v\d[\d.]*", p) else p for p in re.split(r"[-_ ]", name)]
    parts = [p.split(".")[-1] if re.match(r"[a-z]+\.[a-z]", p) else p.strip(".") for p in parts]  # meta.llama
    return tuple(sorted(p for p in parts if p and p not in _NOISE))


def _with_its_tag(model: str) -> str:
    """The bare name in small letters, with an Ollama tag where that says the size; a host's tag says nothing."""
    name, _, tag = bare_name(model).lower().partition(":")
    name = name.partition("@")[0]  # a revision; LM Studio: which of several files
    return f"{name}-{tag}" if _SIZE.search(tag) else name


def has_size(model: str) -> bool:
    """Whether a name says how large the model is."""
    return any(re.fullmatch(r"[\d.]+[bm]", part) for part in weights_key(model))


def sizes_named(model: str) -> tuple[float, float] | None:
    """All parameters and those that one token uses, as a name says: `Qwen3-30B-A3B` has 30e9 and 3e9.

    None: it says nothing, or it is a mix of experts that says only their size (`4x7B`, `17B-16E`).
    """
    name = bare_name(model).lower()
    if re.search(r"\dx\d|-\d+e(?![a-z0-9])", name):
        return None
    sizes = re.findall(r"(?<![\w.])(a?)(\d+(?:\.\d+)?)([bm])(?![a-z0-9])", name)
    total = next((_size(number, unit) for mark, number, unit in sizes if not mark), None)
    active = next((_size(number, unit) for mark, number, unit in sizes if mark), total)
    return None if total is None or active is None else (total, active)


def contradicts(model: str, parameters: int) -> bool:
    """Whether a name says another size than was counted."""
    sizes = sizes_named(model)
    return sizes is not None and abs(sizes[0] - parameters) > SIZE_TOLERANCE * parameters


def _size(number: str, unit: str) -> float:
    return float(number) * (1e9 if unit == "b" else 1e6)


def tells_weights(name: str) -> bool:
    """Whether a name says which weights they are: a hub's id, or a family and its size. `bench`, `/models/llm` do not,
    nor does an adapter's id, `acme/support-lora`: its base is another model's.

    A path says what its last part does: `/models/Llama-3.1-8B-Instruct`.
    """
    key = set(weights_key(name))
    return _says_itself(name) or (_is_hub_id(own_name(name)) and not key <= _ALIASES and not key & _ADAPTERS)


def _says_itself(name: str) -> bool:
    """Whether the bare name says family and size, or version where a family has one size of each."""
    key = set(weights_key(name)) - _ALIASES
    if has_size(name):
        return any(not re.fullmatch(r"a?[\d.]+[bm]?", part) for part in key)
    return bool(_OF_ONE_SIZE & key) and any(part[0].isdigit() or part[-1].isdigit() for part in key)


def _is_hub_id(name: str) -> bool:
    owner = name.partition("/")[0].lower()
    return bool(re.fullmatch(r"[\w.-]+/[\w.-]+", name)) and owner not in {*_PLACES, ".", ".."}


def same_weights(one: str, other: str) -> bool:
    """Whether two names mean the same weights; their quantisation is another question."""
    if own_name(one) == own_name(other):
        return True
    tuned = {_is_tuned(one), _is_tuned(other)} - {None}
    return _says_itself(one) and weights_key(one) == weights_key(other) and len(tuned) < 2


def _is_tuned(model: str) -> bool | None:
    """Whether it is the tuned one of a pair; None: an Ollama tag says only what its publisher holds to be unusual."""
    parts = set(re.split(r"[-_ .:@]", bare_name(model).lower()))
    if parts & _TUNED:
        return True
    return None if ":" in bare_name(model) and not parts & _NOT_TUNED else False


def same_quantization(one: str, other: str) -> bool:
    """Whether both can be true of the same weights: `awq` stores them in `int4`, `compressed-tensors` in any width."""
    plain = {plain_quantization(one), plain_quantization(other)}
    return len(plain) == 1 or bool(plain & FORMATS) or bool(plain & _METHODS and plain & _METHOD_WIDTHS)


def is_unquantized(said: str) -> bool:
    """Whether it says 16 or 32 bits, which an engine may store in fewer as it loads them."""
    return plain_quantization(said) in {"bf16", "f16", "f32"}


def plain_quantization(said: str) -> str:
    """One spelling of a quantisation: `Q4_K - Medium` and `Q4_K_M` are `q4_k_m`, `awq_marlin` and `AWQ-INT4` `awq`.

    `BF16 (from Q4_1)` is what they were made, not of what.
    """
    text = said.lower().strip().removeprefix("(guessed)").strip().replace("bitsandbytes", "bnb")
    for words, short in _KINDS.items():
        text = text.replace(words, short)
    text = text.partition("(")[0].removesuffix("_marlin").strip()
    return _of_marks(_QUANTIZATION.findall(text.replace("_marlin", ""))) or text


def quantization_named(model: str) -> str | None:
    """What a model's own name says of its quantisation, in the one spelling; None: nothing.

    Of a file in the hub's cache the file's name says it before the repository's.
    """
    file = _BESIDE.sub("", model.replace("\\", "/").rstrip("/").rsplit("/", 1)[-1].lower())
    marks = _QUANTIZATION.findall(file) if file.endswith(".gguf") else []
    return _of_marks(marks or _QUANTIZATION.findall(_BESIDE.sub("", bare_name(model).lower())))


def _of_marks(marks: list[str]) -> str | None:
    """A method before a width; of several widths the last, which is what the others were made."""
    plain = [_SAME.get(mark, mark.replace("-", "").removesuffix("s") if "bit" in mark else mark) for mark in marks]
    method = next((mark for mark in plain if mark in _METHODS), None)
    widths = [mark for mark in plain if mark not in _METHODS]
    if method is None:
        return widths[-1] if widths else None
    return method if not widths or widths[-1] in _METHOD_WIDTHS else f"{method}-{widths[-1]}"
