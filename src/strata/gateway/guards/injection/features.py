"""What the classifier looks at: runs of characters and words, hashed, and marks of structure.

Nothing here is learnt; the weights of it all are in `weights.npz`, made by `bench/train_injection.py`.
"""

from __future__ import annotations

import re
from functools import lru_cache
from itertools import pairwise
from typing import Any
from zlib import crc32

import numpy as np

BUCKETS = 1 << 15
_TOKEN = re.compile(r"\w+|[^\w\s]")
_FLAGS = re.IGNORECASE | re.DOTALL

_MODEL = r"(?:ai|a\.i\.|llms?|gpt|chatgpt|assistants?|(?:language )?models?|chatbots?|bots?|agents?|ki|sprachmodelle?|ia|asistentes?|assistante?s?|modèles?|copilot)"
_RULES = r"(?:instruct\w*|directions?|directives?|rules?|guidelines?|prompts?|orders?|commands?|constraints?|restrictions?|anweisung\w*|aufgaben|regeln|vorgaben|instruccion\w*|órdenes|reglas|consignes|règles|istruzioni|instruç\w*|instructies|指令|指示)"
_DROP = r"(?:ignor\w*|disregard\w*|forget\w*|overrid\w*|bypass\w*|neglect|dismiss|vergiss|vergessen sie|missachte\w*|olvid\w*|oubli\w*|dimentica|esqueça|negeer|忽略|無視|无视)"
STRUCTURE: tuple[tuple[str, re.Pattern[str]], ...] = tuple(
    (name, re.compile(pattern, _FLAGS))
    for name, pattern in (
        ("drop rules", rf"{_DROP}.{{0,60}}{_RULES}"),
        ("rules before", rf"\b(?:previous|prior|above|earlier|preceding|initial|original|vorherig\w*|bisherig\w*|obig\w*|anterior\w*|previas|précédent\w*)\s+(?:\w+\s+)?{_RULES}"),
        ("drop everything", rf"{_DROP}\s+(?:about\s+)?(?:everything|all of|all the|alles|todo|tout\b)"),
        ("system prompt", r"system\s*-?\s*prompt|initial (?:prompt|instruction)|hidden (?:prompt|instruction)|developer message|systemanweisung|prompt (?:del sistema|système)"),
        ("show yours", r"\b(?:reveal|show|print|repeat|output|display|tell|give|zeige?|nenne|verrate|muestra\w*|revela|affiche|montre)\b.{0,40}\b(?:your|the|deine?n?|tus?|tes|ton)\b.{0,30}\b(?:prompt|instruct\w*|secret|password|passphrase|key|rules|configuration|anweisung\w*|passwort|geheim\w*|contraseña|instruccion\w*|consignes)"),
        ("words above", r"\b(?:everything|all|words?|text|lines?)\s+(?:\w+\s+)?(?:above|before this)"),
        ("you are now", r"\byou(?:'re| are| will be)?\s+(?:now|going to act|no longer)\b|du bist (?:jetzt|nun)|ahora eres|tu es (?:maintenant|désormais)|from now on"),
        ("no limits", r"\b(?:without|no|any|free of|ohne|keine|sin|sans)\b.{0,25}\b(?:restrict\w*|filters?|limit\w*|censor\w*|ethic\w*|moral\w*|guidelines|einschränkungen|regeln|restricciones|filtros|limites)"),
        ("anything now", r"do anything now|\bDAN\b|jailbr\w+|unfilter\w+|uncensor\w+|unrestricted"),
        ("mode", r"\b(?:developer|debug|maintenance|god|admin|root|sudo|test|unrestricted|diagnostic|training|override)[- ]mode"),
        ("never refuse", r"\b(?:never|don't|do not|cannot|must not|can't)\b.{0,20}\b(?:refuse|decline|apologi[sz]e|say (?:you )?(?:no|can)|break character)"),
        ("start with", r"\b(?:begin|start|prefix|open|end|finish)\b.{0,20}\b(?:your|each|every|the|all)\b.{0,15}\b(?:answers?|repl(?:y|ies)|responses?|output)\b"),
        ("in your answer", r"\b(?:in|into|to|within|of|modify|change|format)\s+(?:your|the)\s+(?:final\s+)?(?:answer|reply|response|summary|output)\b|(?:in|zu) deine[rm]? antwort|en tu respuesta|(?:à|dans) ta réponse"),
        ("to a model", rf"\b(?:note|attention|message|dear|hello|hey|instruction\w*|reminder|important|hinweis|achtung|nota|atención)\b.{{0,20}}\b{_MODEL}\b"),
        ("if you are a model", rf"\b(?:if|when|as|since|because|wenn|si)\s+(?:you(?:'re| are)|du|eres|tu es)?\s*(?:an?|ein|una?|une?)?\s*{_MODEL}\b"),
        ("role marker", r"(?:^|\n|[>.\"'}\]])\s*(?:#{1,4}\s*)?[\[<(*]{0,3}(?:system|assistant|user|human|admin|instructions?)\b[^\n:>\]]{0,30}[:>\])]"),
        ("chat template", r"<\|[a-z_]+\|>|\[/?INST\]|<</?SYS>>|</?(?:system|user|assistant|instructions?|prompt|context|document|data|input)>"),
        ("end marker", r"(?:[-=*<#_]{3,}\s*)(?:end|ende|fin|stop)\b|\bend of (?:the )?(?:document|text|input|context|prompt|user)"),
        ("new task", r"\b(?:new|updated|real|actual|neue|nueva|nouvelle)s?\s+(?:\w+\s+)?(?:instruct\w*|task|directive|order|rule|aufgabe|anweisung\w*|tarea|tâche|instruccion\w*)"),
        ("html comment", r"<!--.{3,400}?-->"),
        ("hidden style", r"display\s*:\s*none|visibility\s*:\s*hidden|font-size\s*:\s*0|opacity\s*:\s*0|color\s*:\s*(?:#?fff\w*|white)"),
        ("image with data", r"!\[[^\]]{0,80}\]\([^)\s]{4,200}[?=][^)]*\)|<img[^>]{1,200}(?:\?|onerror)"),
        ("script", r"<script|javascript:|onload\s*=|onerror\s*=|\beval\(|document\.cookie"),
        ("send away", r"\b(?:send|forward|e-?mail|post|upload|transfer|exfiltrate|leite?|reenvía|transfère)\b.{0,60}(?:https?://|@|\bto\b.{0,20}\.(?:com|net|org|example|test))"),
        ("use tool", r"\b(?:call|invoke|use|run|execute)\s+(?:the\s+)?(?:tool|function|plugin|command|api|shell)\b|\b[a-z]+_[a-z]+\("),
        ("no telling", r"\b(?:without|don't|do not|never)\b.{0,20}\b(?:ask\w*|tell\w*|mention\w*|inform\w*|warn\w*|confirm\w*|notif\w*)\b.{0,20}\b(?:user|human|anyone|anybody|this)"),
        ("decode", r"\b(?:decode|decrypt|decipher|unscramble|base64|rot13|hexadecimal|morse)\b"),
        ("authority", r"\b(?:i am|i'm|this is|as)\s+(?:your|the|an?)\s+(?:\w+\s+)?(?:developer|admin\w*|creator|owner|engineer|operator|maintainer|ceo|supervisor|root)"),
        ("hypothetical", r"\b(?:hypothetical|fictional|imaginary|parallel|alternate)\b|for (?:educational|research) purposes"),
        ("stay in role", r"\b(?:stay|remain|keep|break)\b.{0,12}\b(?:character|role)|roleplay|role-play"),
        ("illegal", r"\b(?:illegal|unethical|immoral|harmful|amoral|malicious)\b"),
        ("shouting", r"(?:\b[A-Z]{4,}\b[\s,!]+){3,}"),
        ("question", r"\?\s*$"),
    )
)  # fmt: skip


def hashed(text: str) -> Any:
    """The buckets, int64, each once, of the text's words, pairs and near pairs of words, and runs of 3 to 5 characters."""
    lowered = text.lower()
    tokens = _TOKEN.findall(lowered)[:400]
    grams = [_bucket(token) for token in tokens]
    grams += [_bucket(f"{a} {b}") for a, b in pairwise(tokens)]
    grams += [_bucket(f"{a} _ {b}") for a, b in zip(tokens, tokens[2:], strict=False)]
    letters = np.frombuffer(f" {' '.join(tokens)} ".encode("utf-32-le"), np.uint32).astype(np.uint64)
    runs = [_runs(letters, length) for length in (3, 4, 5)]
    return np.unique(np.concatenate([np.array(grams, np.int64), *runs]))


def structure(text: str) -> Any:
    """One number for each mark of `STRUCTURE`, 1 where it is found, and four about the text as a whole; float32."""
    found = [float(pattern.search(text) is not None) for _, pattern in STRUCTURE]
    words = text.split()
    upper = sum(word.isupper() for word in words) / max(len(words), 1)
    return np.array([*found, min(len(words), 200) / 200, upper, min(text.count("\n"), 10) / 10, 1.0], np.float32)


@lru_cache(maxsize=65536)
def _bucket(gram: str) -> int:
    return crc32(gram.encode()) & (BUCKETS - 1)


def _runs(letters: Any, length: int) -> Any:
    """Buckets of all runs of `length` characters, by a polynomial of their code points modulo 2^64."""
    if len(letters) < length:
        return np.empty(0, np.int64)
    count = len(letters) - length + 1
    value = np.full(count, length, np.uint64)
    for at in range(length):
        value = value * np.uint64(1_099_511_628_211) + letters[at : at + count]
    return ((value ^ (value >> np.uint64(29))) % np.uint64(BUCKETS)).astype(np.int64)
