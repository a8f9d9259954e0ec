"""The vendors and servers that speak OpenAI's dialect, one row each: where they are and what is particular about them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Vendor:
    """What is particular about a vendor.

    `prices` is its name in the published prices; none: it charges nothing. `limit` is what it calls the most tokens of
    an answer; `usage_asked`: streams count tokens only when asked to; `more`: what it takes besides chat and
    embeddings; `exact`: its answers are OpenAI's own and need no look. `thoughts` is its name for the reasoning of
    earlier answers: as in the gateway (None), another, `parts` of the content, or none at all (empty).
    `picky`: it refuses fields of messages that it does not know. `developer`: it knows this role; otherwise it is told
    as `system`. `short_ids`: ids of calls have nine letters.
    """

    base_url: str = ""
    needs_key: bool = True
    key_header: str = "authorization"
    limit: str = "max_tokens"
    usage_asked: bool = True
    prices: str = ""
    more: tuple[str, ...] = ()
    exact: bool = False
    thoughts: str | None = None
    developer: bool = True
    short_ids: bool = False
    picky: bool = False
    rerank_path: str = "/rerank"


NEW = "max_completion_tokens"
AUDIO = ("speech", "transcriptions")

VENDORS: dict[str, Vendor] = {
    "openai": Vendor("https://api.openai.com/v1", limit=NEW, prices="openai", exact=True,
                     more=("responses", "images", *AUDIO)),
    "azure": Vendor(key_header="api-key", limit=NEW, prices="azure", exact=True, more=("responses", "images", *AUDIO)),
    # ---- models as a service
    "groq": Vendor("https://api.groq.com/openai/v1", limit=NEW, prices="groq", more=("responses", *AUDIO),
                   thoughts="reasoning", developer=False, picky=True),
    "mistral": Vendor("https://api.mistral.ai/v1", usage_asked=False, prices="mistral", more=("transcriptions",),
                      thoughts="parts", developer=False, short_ids=True, picky=True),
    "together": Vendor("https://api.together.xyz/v1", prices="together", more=("rerank", "images", *AUDIO),
                       developer=False),
    "openrouter": Vendor("https://openrouter.ai/api/v1", prices="openrouter", more=("responses",),
                         thoughts="reasoning"),
    "deepseek": Vendor("https://api.deepseek.com/v1", prices="deepseek", developer=False),
    "fireworks": Vendor("https://api.fireworks.ai/inference/v1", prices="fireworks", more=("responses",),
                        developer=False),
    "perplexity": Vendor("https://api.perplexity.ai", usage_asked=False, prices="perplexity", thoughts="", picky=True,
                         developer=False),
    "cerebras": Vendor("https://api.cerebras.ai/v1", limit=NEW, prices="cerebras", thoughts="reasoning", picky=True),
    "xai": Vendor("https://api.x.ai/v1", limit=NEW, prices="x-ai", more=("responses", "images")),
    "zai": Vendor("https://api.z.ai/api/paas/v4", prices="zai", developer=False),
    "zhipu": Vendor("https://open.bigmodel.cn/api/paas/v4", prices="zhipuai", developer=False),
    "moonshot": Vendor("https://api.moonshot.ai/v1", prices="moonshotai", developer=False),
    "minimax": Vendor("https://api.minimax.io/v1", prices="minimax", developer=False),
    "qwen": Vendor("https://dashscope-intl.aliyuncs.com/compatible-mode/v1", prices="qwen", developer=False),
    "huggingface": Vendor("https://router.huggingface.co/v1", prices="huggingface", more=("responses",),
                          developer=False),
    "nvidia": Vendor("https://integrate.api.nvidia.com/v1", prices="nvidia", developer=False),
    "sambanova": Vendor("https://api.sambanova.ai/v1", prices="sambanova", developer=False),
    "deepinfra": Vendor("https://api.deepinfra.com/v1/openai", prices="deepinfra", more=("images", *AUDIO),
                        developer=False),
    "novita": Vendor("https://api.novita.ai/v3/openai", prices="novita", developer=False),
    "nebius": Vendor("https://api.studio.nebius.com/v1", prices="nebius", more=("images",), developer=False),
    "baseten": Vendor("https://inference.baseten.co/v1", prices="baseten", developer=False),
    "hyperbolic": Vendor("https://api.hyperbolic.xyz/v1", prices="hyperbolic", developer=False),
    "scaleway": Vendor("https://api.scaleway.ai/v1", prices="scaleway", developer=False),
    "ovhcloud": Vendor("https://oai.endpoints.kepler.ai.cloud.ovh.net/v1", prices="ovhcloud", developer=False),
    "github": Vendor("https://models.github.ai/inference", prices="github", developer=True),
    "cloudflare": Vendor(prices="cloudflare", developer=False),
    "databricks": Vendor(prices="databricks", developer=False),
    "gemini": Vendor("https://generativelanguage.googleapis.com/v1beta/openai", prices="google", thoughts="",
                     developer=False),
    # ---- embeddings and rerank
    "voyage": Vendor("https://api.voyageai.com/v1", prices="voyageai", more=("rerank",)),
    "jina": Vendor("https://api.jina.ai/v1", prices="jina", more=("rerank",)),
    "mixedbread": Vendor("https://api.mixedbread.com/v1", prices="mixedbread", more=("rerank",),
                         rerank_path="/reranking"),
    # ---- servers of one's own
    "vllm": Vendor("http://127.0.0.1:8000/v1", needs_key=False, more=("responses", "rerank", "transcriptions"),
                   developer=False),
    "sglang": Vendor("http://127.0.0.1:30000/v1", needs_key=False, more=("rerank",), developer=False),
    "tgi": Vendor("http://127.0.0.1:8080/v1", needs_key=False, thoughts="", developer=False),
    "ollama": Vendor("http://127.0.0.1:11434/v1", needs_key=False, more=("responses",), thoughts="reasoning",
                     developer=False),
    "llamacpp": Vendor("http://127.0.0.1:8080/v1", needs_key=False, more=("rerank",), developer=False),
    "lmstudio": Vendor("http://127.0.0.1:1234/v1", needs_key=False, more=("responses",), developer=False),
    "compatible": Vendor(needs_key=False),
}  # fmt: skip
