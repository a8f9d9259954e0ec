"""A small organisation to ask: one department's manuals, two people, an assistant that quotes and one that writes."""

from __future__ import annotations

from dataclasses import dataclass, replace
from importlib.resources import files

import pytest
from tests.app.neighbours import TENANT, PlainLedger, ScriptedGateway, ShelfLibrary

from strata.access import Access
from strata.adapters.records.memory import MemoryRecords, Progress
from strata.app.build import build, signin
from strata.app.chat import AssistantDesk
from strata.app.options import Options
from strata.app.signin import SignIn
from strata.events import KINDS, Event, decode
from strata.types import Assistant, Corpus, Department, Part, Person, Principal

PUMP = """# Pump PX-7 manual

The pump PX-7 must be cleaned every 14 days with distilled water. The filter lasts 90 days and is replaced by the technician.
The pump must not be run dry.

Alarm codes of the PX-7:

| Code | Meaning | Action |
|---|---|---|
| E1 | Low pressure | Close the valve and call the technician |
| E2 | Overheating | Switch the pump off for 30 minutes |

Before the first use:
- rinse the tank twice
- check the seal
- write the date on the label
"""
VALVE = """# Valve VR-2 manual

The valve VR-2 must be cleaned every 30 days with alcohol. It withstands a pressure of 6 bar.
"""
SECRET = """# Merger plan

The merger with Globex will be announced in October and costs 40 million dollars.
"""


def assistant(**changes: object) -> Assistant:
    plain = Assistant(
        id="care",
        name="Care desk",
        department="care",
        corpora=("manuals", "board"),
        users=frozenset({"care"}),
        notice="Answers are made by a machine from the department's documents.",
    )
    return replace(plain, **changes)  # type: ignore[arg-type]


PEOPLE = (
    Person("ana", "Ana Silva", "ana@acme.example", "care", "Technician", roles=frozenset({"member", "editor"})),
    Person("bo", "Bo Lind", "bo@acme.example", "care"),
    Person("cy", "Cy Board", "cy@acme.example", "care", groups=frozenset({"board"})),
    Person("dee", "Dee Stranger", "dee@acme.example", "sales"),
)
CORPORA = (
    Corpus("manuals", "Manuals", "care", frozenset({"everyone"})),
    Corpus("board", "Board papers", "care", frozenset({"board"})),
)
OPTIONS = Options(
    people=PEOPLE,
    departments=(Department("care", "Customer Care"), Department("sales", "Sales")),
    organisation="Acme",
    assistants=(
        assistant(),
        assistant(id="writer", name="Writer", mode="generative", model="small", fallback="none"),
        assistant(id="careful", name="Careful", mode="generative", model="small", fallback="extractive"),
        assistant(id="de", name="Pflege", language="de"),
    ),
)


@dataclass(slots=True)
class Place:
    """Everything a test of the desk needs in one hand."""

    desk: AssistantDesk
    door: SignIn
    gateway: ScriptedGateway
    library: ShelfLibrary
    ledger: PlainLedger
    records: MemoryRecords
    access: Access

    def person(self, id: str) -> Principal:
        return next(person for person in PEOPLE if person.id == id).principal(TENANT)

    async def ask(self, question: str, person: str = "ana", assistant: str = "care", session: str = "") -> list[Part]:
        who = self.person(person)
        session = session or (await self.desk.open(who, assistant)).id
        return [part async for part in self.desk.answer(who, session, question)]

    def events(self) -> list[Event]:
        """Every event committed so far, in the order of commits within its partition."""
        waiting = self.records.progress["test"].waiting
        return sorted((decode(data) for queue in waiting.values() for data in queue), key=lambda event: event.at)


@pytest.fixture
async def place() -> Place:
    access = Access.of((files("strata") / "policies" / "strata.cedar").read_text(encoding="utf-8"))
    records = MemoryRecords()
    records.progress["test"] = Progress(frozenset(KINDS))
    gateway, library = ScriptedGateway(), ShelfLibrary(access)
    library.put("pump.md", PUMP, title="Pump PX-7 manual")
    library.put("valve.md", VALVE, title="Valve VR-2 manual")
    library.put("merger.md", SECRET, corpus="board", readers=frozenset({"board"}), title="Merger plan")
    desk = await build(
        OPTIONS, tenant=TENANT, records=records, gateway=gateway, library=library, access=access, embedding="embedding"
    )
    door = signin(OPTIONS, tenant=TENANT, records=records, key=b"k" * 32)
    return Place(desk, door, gateway, library, PlainLedger(), records, access)
