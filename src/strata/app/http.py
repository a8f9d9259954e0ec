"""The web API of the application layer, and the web application's files: every route is open only if `gate.OPEN` says so.

Errors are RFC 9457 problems. Handlers translate between `wire` and the contracts and decide nothing themselves.
"""

from __future__ import annotations

import asyncio
import mimetypes
import re
from collections.abc import AsyncGenerator, Sequence
from http import HTTPStatus
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import quote

import orjson
from fastapi import APIRouter, FastAPI, File, Form, Query, Request, Response, UploadFile
from fastapi.exceptions import RequestValidationError
from fastapi.responses import FileResponse, StreamingResponse
from starlette.exceptions import HTTPException
from starlette.types import Receive, Scope, Send

from strata.access import Resource
from strata.app import wire
from strata.app.chat import AssistantDesk
from strata.app.gate import COOKIE, Gate, problem_headers, unexpected
from strata.app.options import Options
from strata.app.signin import SignIn
from strata.contracts import Ledger, Library
from strata.errors import Invalid, NotFound, StrataError, TooLarge
from strata.types import AccessLabel, Corpus, Failed, Feedback, NewDocument, Part, Person, Principal

PROBLEM: dict[int | str, dict[str, Any]] = {
    "default": {
        "description": "What went wrong and what to do",
        "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
    }
}
STREAM: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The answer's parts, one JSON object an event",
        "content": {"text/event-stream": {"schema": {"type": "string"}}},
    }
}
BYTES: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The document as it was sent",
        "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
    }
}
INLINE = frozenset({"application/pdf"})
"""Media that a browser may show in place; everything else is saved, so that a hostile page cannot run as ours."""


def app(
    desk: AssistantDesk,
    library: Library,
    ledger: Ledger,
    signin: SignIn,
    options: Options,
    *,
    corpora: Sequence[Corpus] = (),
    web: Path | None = None,
) -> FastAPI:
    """The whole of it, ready to be served. `web` is the folder of the built web application, where there is one."""
    made = FastAPI(
        title="Strata",
        version="1",
        openapi_url="/api/openapi.json",
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        separate_input_output_schemas=False,
        generate_unique_id_function=lambda route: route.name,
    )
    made.include_router(_people(desk, signin, options, corpora))
    made.include_router(_chats(desk, options))
    made.include_router(_documents(desk, library, corpora, options))
    made.include_router(_usage(ledger, desk, options))
    made.add_api_route("/healthz", _healthy, methods=["GET"], include_in_schema=False)
    if web is not None:
        made.add_api_route("/{path:path}", _files(web), methods=["GET", "HEAD"], include_in_schema=False)
    made.add_exception_handler(StrataError, _problem)
    made.add_exception_handler(RequestValidationError, _problem)
    made.add_exception_handler(HTTPException, _problem)
    made.add_middleware(Gate, door=signin, max_upload=options.max_upload)
    _describe(made)
    return made


def _people(desk: AssistantDesk, door: SignIn, options: Options, corpora: Sequence[Corpus]) -> APIRouter:
    routes = APIRouter(prefix="/api", responses=PROBLEM)
    departments = {department.id: department.name for department in options.departments}

    def described(person: Person) -> wire.Me:
        principal = door.principal(person)
        access, tenant = desk.roster.access, desk.tenant
        may = wire.Permissions(
            upload=any(access.may(principal, "add", Resource.corpus(tenant, corpus)) for corpus in corpora),
            usage=access.may(principal, "report", Resource.department(tenant, person.department)),
            audit=access.may(principal, "audit", Resource.plain("Ledger", tenant, tenant)),
        )
        return wire.Me(
            id=person.id,
            name=person.name,
            email=person.email,
            title=person.title,
            department=wire.named(person.department, departments),
            tenant=wire.Named(id=tenant, name=options.organisation or tenant),
            groups=sorted(person.groups),
            roles=sorted(person.roles),
            may=may,
        )

    @routes.post("/sign-in", summary="Trade a sign-in link's token for a cookie")
    async def sign_in(request: Request, response: Response, body: wire.SignIn) -> wire.Me:
        address = request.client.host if request.client else ""
        token, person = await door.enter(body.token, address)
        response.set_cookie(
            COOKIE,
            token,
            max_age=int(options.session_lifetime),
            secure=options.secure_cookies,
            httponly=True,
            samesite="strict",
        )
        return described(person)

    @routes.post("/sign-out", status_code=204, summary="End this browser's session")
    async def sign_out(request: Request, response: Response) -> None:
        await door.leave(request.state.cookie)
        response.delete_cookie(COOKIE, secure=options.secure_cookies, httponly=True, samesite="strict")

    @routes.get("/me", summary="Who is signed in, and what they may do")
    async def me(request: Request) -> wire.Me:
        return described(request.state.person)

    return routes


def _chats(desk: AssistantDesk, options: Options) -> APIRouter:
    routes = APIRouter(prefix="/api", responses=PROBLEM)
    departments = {department.id: department.name for department in options.departments}

    @routes.get("/assistants", summary="The assistants that this person may ask")
    async def list_assistants(request: Request) -> list[wire.Assistant]:
        return [wire.Assistant.of(one, departments) for one in await desk.assistants(_who(request, desk))]

    @routes.get("/sessions", summary="One's own sessions, newest first")
    async def list_sessions(request: Request) -> list[wire.Session]:
        return [wire.Session.model_validate(session) for session in await desk.sessions(_who(request, desk))]

    @routes.post("/sessions", status_code=201, summary="Open a session with an assistant")
    async def create_session(request: Request, body: wire.NewSession) -> wire.Session:
        return wire.Session.model_validate(await desk.open(_who(request, desk), body.assistant))

    @routes.get("/sessions/{session}", summary="A session with its messages")
    async def get_session(request: Request, session: str) -> wire.SessionDetail:
        who = _who(request, desk)
        head = wire.Session.model_validate(await desk.session(who, session))
        messages = [wire.Message.model_validate(message) for message in await desk.messages(who, session)]
        return wire.SessionDetail(**head.model_dump(), messages=messages)

    @routes.patch("/sessions/{session}", summary="Give a session another title")
    async def rename_session(request: Request, session: str, body: wire.SessionTitle) -> wire.Session:
        return wire.Session.model_validate(await desk.rename(_who(request, desk), session, body.title))

    @routes.delete("/sessions/{session}", status_code=204, summary="Remove a session with all of its messages")
    async def delete_session(request: Request, session: str) -> None:
        await desk.delete(_who(request, desk), session)

    @routes.post(
        "/sessions/{session}/messages",
        response_class=StreamingResponse,
        responses=STREAM,
        summary="Ask, and read the answer as a stream of typed parts",
    )
    async def ask(request: Request, session: str, body: wire.Question) -> Response:
        parts = desk.answer(_who(request, desk), session, body.text)
        first = await anext(parts)  # what fails before it is an ordinary problem
        return PartsResponse(first, parts, request.state.request_id)

    @routes.put("/messages/{message}/feedback", summary="Say what one thinks of an answer")
    async def give_feedback(request: Request, message: str, body: wire.Feedback) -> wire.Feedback:
        given = Feedback(body.emoji, tuple(dict.fromkeys(body.reasons)), body.comment)
        return wire.Feedback.model_validate(await desk.rate(_who(request, desk), message, given))

    @routes.delete("/messages/{message}/feedback", status_code=204, summary="Take feedback back")
    async def withdraw_feedback(request: Request, message: str) -> None:
        await desk.rate(_who(request, desk), message, None)

    return routes


def _documents(desk: AssistantDesk, library: Library, corpora: Sequence[Corpus], options: Options) -> APIRouter:
    routes = APIRouter(prefix="/api", responses=PROBLEM)
    access, tenant = desk.roster.access, desk.tenant

    @routes.get("/corpora", summary="The collections that this person may read or add to")
    async def list_corpora(request: Request) -> list[wire.Corpus]:
        who = _who(request, desk)
        found = []
        for corpus in corpora:
            label = AccessLabel(tenant, corpus.readers, corpus.classification, corpus.department)
            may_upload = access.may(who, "add", Resource.corpus(tenant, corpus))
            if may_upload or access.readable(who, [label]):
                name = corpus.name or corpus.id
                found.append(wire.Corpus(id=corpus.id, name=name, department=corpus.department, may_upload=may_upload))
        return found

    @routes.get("/documents", summary="The documents that this person may read")
    async def list_documents(request: Request, corpus: str = "") -> list[wire.Document]:
        return [wire.Document.of(one) for one in await library.documents(_who(request, desk), corpus)]

    @routes.post("/documents", status_code=202, summary="Add a document; it is read in the background")
    async def upload_document(
        request: Request,
        file: Annotated[UploadFile, File()],
        corpus: Annotated[str, Form()],
        readers: Annotated[list[str] | None, Form()] = None,
        classification: Annotated[Literal["public", "internal", "confidential", "restricted"] | None, Form()] = None,
    ) -> wire.Document:
        data = await file.read(options.max_upload + 1)
        if not data:
            raise Invalid("the file is empty")
        if len(data) > options.max_upload:
            raise TooLarge(f"the file is larger than the {options.max_upload} bytes allowed")
        new = NewDocument(
            corpus=corpus,
            source=_name(file.filename or ""),
            readers=frozenset(readers) if readers else None,
            classification=classification,
        )
        report = await library.add(_who(request, desk), new, data)
        return wire.Document.of(report.document)

    @routes.get("/documents/{document}", summary="A document's particulars")
    async def get_document(request: Request, document: str) -> wire.Document:
        return wire.Document.of(await library.document(_who(request, desk), document))

    @routes.delete("/documents/{document}", status_code=204, summary="Remove a document and all that was made of it")
    async def delete_document(request: Request, document: str) -> None:
        await library.remove(_who(request, desk), document, "removed by a person")

    @routes.get("/documents/{document}/text", summary="A document as text, with its pages and blocks")
    async def get_document_text(request: Request, document: str) -> wire.DocumentText:
        return wire.DocumentText.model_validate(await library.text(_who(request, desk), document))

    @routes.get(
        "/documents/{document}/original",
        response_class=Response,
        responses=BYTES,
        summary="A document as it was sent",
    )
    async def get_document_original(request: Request, document: str) -> Response:
        content = await library.original(_who(request, desk), document)
        media = content.media.partition(";")[0].strip().lower() or "application/octet-stream"
        shown = "inline" if media in INLINE else "attachment"
        name = quote(content.name.rpartition("/")[2] or "document", safe="")
        headers = {
            "content-disposition": f"{shown}; filename*=UTF-8''{name}",
            "content-security-policy": "sandbox; default-src 'none'; frame-ancestors 'none'",
            "cache-control": "private, no-store",
        }
        return Response(content.data, media_type=media, headers=headers)

    @routes.post("/documents/{document}/retry", status_code=202, summary="Read a document once more")
    async def retry_document(request: Request, document: str) -> wire.Document:
        return wire.Document.of(await library.retry(_who(request, desk), document))

    return routes


def _usage(ledger: Ledger, desk: AssistantDesk, options: Options) -> APIRouter:
    routes = APIRouter(prefix="/api", responses=PROBLEM)
    names = {
        "department": {department.id: department.name for department in options.departments},
        "person": {person.id: person.name for person in options.people},
        "assistant": {assistant.id: assistant.name for assistant in options.assistants},
    }

    @routes.get("/usage", summary="What was used and what it cost")
    async def usage(
        request: Request, by: wire.By = "department", days: Annotated[int, Query(ge=1, le=366)] = 30
    ) -> wire.UsageReport:
        report = await ledger.usage(_who(request, desk), by, days)
        return wire.UsageReport.of(report, names.get(by, {}))

    return routes


class PartsResponse(StreamingResponse):
    """An answer as server-sent events. A client that goes away stops it at once, whatever it was waiting for."""

    def __init__(self, first: Part, parts: AsyncGenerator[Part, None], request: str) -> None:
        self.parts = parts
        headers = {"cache-control": "no-store", "x-accel-buffering": "no"}
        super().__init__(self._events(first, request), media_type="text/event-stream", headers=headers)

    async def _events(self, first: Part, request: str) -> AsyncGenerator[bytes, None]:
        yield _event(first)
        try:
            async for part in self.parts:
                yield _event(part)
        except StrataError as error:
            yield _event(Failed(error.problem()))
        except Exception:
            yield _event(Failed(unexpected(request).problem()))
            raise

    async def __call__(self, _scope: Scope, receive: Receive, send: Send) -> None:
        sending = asyncio.create_task(self.stream_response(send))
        leaving = asyncio.create_task(self.listen_for_disconnect(receive))
        try:
            await asyncio.wait({sending, leaving}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            unfinished = not sending.done()
            sending.cancel()
            leaving.cancel()
            outcomes = await asyncio.gather(sending, leaving, return_exceptions=True)
            await self.parts.aclose()
        if not unfinished and isinstance(outcomes[0], Exception) and not isinstance(outcomes[0], OSError):
            raise outcomes[0]


def _event(part: Part) -> bytes:
    return b"data: " + orjson.dumps(wire.part(part)) + b"\n\n"


def _who(request: Request, desk: AssistantDesk) -> Principal:
    person: Person = request.state.person
    return person.principal(desk.tenant)


def _name(filename: str) -> str:
    """The sender's file name as a source: its last part, without characters that mean something elsewhere."""
    last = re.split(r"[/\\]", filename)[-1]
    clean = re.sub(r"[\x00-\x1f\x7f<>:\"|?*]", "_", last).strip(" .")
    if not clean:
        raise Invalid("the file has no name; send it with the name it is to be known by")
    return clean[-200:]


async def _healthy() -> dict[str, str]:
    return {"status": "ok"}


def _files(web: Path) -> Any:
    """Serves the web application: its files by their path, and its one page for every other address."""
    root = web.resolve()

    async def files(path: str) -> Response:
        if path == "api" or path.startswith("api/"):
            raise NotFound(f"there is nothing at /{path}")
        wanted = (root / path).resolve()
        if path and wanted.is_relative_to(root) and wanted.is_file():
            media = mimetypes.guess_type(wanted.name)[0]
            if wanted.suffix in {".mjs", ".js"}:
                media = "text/javascript"
            lasting = "public, max-age=31536000, immutable" if path.startswith("assets/") else "no-cache"
            return FileResponse(wanted, media_type=media, headers={"cache-control": lasting})
        page = root / "index.html"
        if Path(path).suffix or not page.is_file():
            raise NotFound(f"there is nothing at /{path}")
        return FileResponse(page, media_type="text/html", headers={"cache-control": "no-cache"})

    return files


async def _problem(request: Request, error: Exception) -> Response:
    """Any error that a route raised, as a problem document."""
    known = _known(error, request)
    body = {**known.problem(), "request": request.state.request_id}
    headers = problem_headers(known)
    if isinstance(error, HTTPException) and error.headers and "allow" in {name.lower() for name in error.headers}:
        headers["allow"] = next(value for name, value in error.headers.items() if name.lower() == "allow")
    return Response(orjson.dumps(body), known.status, headers)


def _known(error: Exception, request: Request) -> StrataError:
    if isinstance(error, StrataError):
        return error
    if isinstance(error.__cause__, StrataError):
        return error.__cause__  # the framework wraps what was raised while it read the body
    if isinstance(error, RequestValidationError):
        mistakes = [
            {"where": ".".join(str(part) for part in mistake["loc"]), "what": mistake["msg"]}
            for mistake in error.errors()
        ]
        detail = "; ".join(f"{mistake['where']}: {mistake['what']}" for mistake in mistakes)
        return Invalid(detail or None, mistakes=mistakes)
    if isinstance(error, HTTPException):
        if error.status_code == HTTPStatus.NOT_FOUND:
            return NotFound(f"there is nothing at {request.url.path}")
        if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
            return MethodNotAllowed(f"{request.method} is not possible at {request.url.path}")
        if error.status_code < HTTPStatus.INTERNAL_SERVER_ERROR:
            return Invalid("the request cannot be read; send it as the API's description says")
    return unexpected(request.state.request_id)


class MethodNotAllowed(Invalid):
    """The address does not take that method."""

    status, slug, title = 405, "method-not-allowed", "Method not allowed"


def _describe(made: FastAPI) -> None:
    """Complete the OpenAPI document: the problem's schema is named, and 422 is a problem like every other error."""
    plain = made.openapi

    def described() -> dict[str, Any]:
        if made.openapi_schema is None:
            document = plain()
            schemas = document["components"]["schemas"]
            schemas["Problem"] = wire.Problem.model_json_schema(ref_template="#/components/schemas/{model}")
            for unused in ("HTTPValidationError", "ValidationError"):
                schemas.pop(unused, None)
            for operations in document["paths"].values():
                for operation in operations.values():
                    operation["responses"].pop("422", None)
            made.openapi_schema = document
        return made.openapi_schema

    made.openapi = described  # type: ignore[method-assign]
