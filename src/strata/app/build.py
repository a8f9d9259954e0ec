"""Makes the application layer of its parts; called once, by the wiring."""

from __future__ import annotations

from strata.access import Access
from strata.app.answering import Answering
from strata.app.assistants import Roster
from strata.app.chat import AssistantDesk
from strata.app.feedback import Opinions
from strata.app.options import Options
from strata.app.prompt import Prompts
from strata.app.sessions import Sessions
from strata.app.signin import SignIn
from strata.app.words import keys
from strata.contracts import Gateway, Library
from strata.ports.records import Records


async def build(
    options: Options,
    *,
    tenant: str,
    records: Records,
    gateway: Gateway,
    library: Library,
    access: Access,
    embedding: str,
) -> AssistantDesk:
    """The desk over these records and neighbours. `embedding` is the platform's name of the embedding model."""
    chats = Sessions(tenant, records, access)
    names = " ".join((options.organisation, tenant, *(department.name for department in options.departments)))
    neutral = keys(names, "en") | keys(names, "de")
    answering = Answering(
        gateway=gateway,
        library=library,
        prompts=Prompts.load(),
        embedding=embedding,
        passages=options.passages,
        answer_tokens=options.answer_tokens,
        answer_seconds=options.answer_seconds,
        neutral=neutral,
    )
    roster = Roster.of(tenant, options.assistants, access)
    return AssistantDesk(tenant, roster, chats, Opinions(tenant, chats), answering, gateway)


def signin(options: Options, *, tenant: str, records: Records, key: bytes) -> SignIn:
    """The door for people: sign-in links that `key` vouches for, and browser sessions kept in the records."""
    return SignIn(
        tenant=tenant,
        people={person.id: person for person in options.people},
        records=records,
        key=key,
        idle=options.session_idle,
        lifetime=options.session_lifetime,
    )
