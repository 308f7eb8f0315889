"""How people write an API: `openai:gpt-4.1`, `azure/gpt-4o`, `vertex_ai/gemini-2.5-pro`, `bedrock:...`."""

from collections.abc import Callable, Sequence

from harness.base.errors import UsageError

_EXAMPLE = "for example `openai:gpt-4.1-mini`"

# names that other tools and the providers themselves use, by our list's
_ALIASES = {
    "aws": ("bedrock", "bedrock_converse", "amazon", "amazon-bedrock", "amazon_bedrock", "aws_bedrock"),
    "google": ("gemini", "vertex_ai", "vertex", "vertexai", "google_ai", "google-vertex", "googleai", "google_genai"),
    "azure": ("azure_ai", "azure-openai", "azure_openai", "azureopenai"),
    "together": ("together_ai", "togetherai", "together-ai"),
    "fireworks": ("fireworks_ai", "fireworks-ai", "fireworksai"),
    "x-ai": ("xai", "grok", "x_ai"),
    "mistral": ("mistralai", "mistral_ai"),
    "moonshotai": ("moonshot",),
    "cohere": ("cohere_chat",),
    "cloudflare": ("cloudflare-workers-ai", "workers-ai", "workers_ai"),
    "novita": ("novita-ai", "novita_ai"),
    "deepseek": ("deepseek-ai", "deepseek_ai"),
    "zai": ("z-ai", "z.ai", "z_ai"),
    "anthropic": ("claude",),
}
_OURS = {alias: ours for ours, aliases in _ALIASES.items() for alias in aliases}
_ROUTES = {  # what stands before a model's id at these, in the names of other tools
    "fireworks": ("accounts/fireworks/models/",),
    "aws": ("converse/", "invoke/"),
    "google": ("models/", "publishers/google/models/"),
}


def split_reference(reference: str, sellers_of: Callable[[str], Sequence[str]]) -> tuple[str, str]:
    """(provider, model) of `provider:model` or `provider/model`, by the first sign; the provider as we call it.

    `sellers_of` tells who sells a model, for one that is given alone.

    Raises:
        UsageError: neither sign, or nothing before or after it.
    """
    at = min((reference.find(sign) for sign in ":/" if sign in reference), default=-1)
    provider, model = reference[:at].strip(), reference[at + 1 :].strip()
    if at < 0 or not provider or not model:
        near = " or ".join(f"`{seller}:{reference}`" for seller in sellers_of(reference)[:3]) if at < 0 else ""
        hint = f"did you mean {near}?" if near else _EXAMPLE
        raise UsageError(f"an API is named provider:model, got `{reference}`", hint=hint)
    ours = _OURS.get(provider.lower(), provider)
    for route in _ROUTES.get(ours, ()):
        model = model.removeprefix(route)
    return ours, model
