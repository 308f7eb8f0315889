"""Rows out of a JSON value: a value may be a row, a page of them, a bucket, a trace of spans or a conversation."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

Row = dict[str, Any]
CONVERSATION = "id of the conversation"  # the column that a request gets of the one it lies in
_NESTED = frozenset(
    ("resourceSpans", "spans", "attributes", "requests", "data", "results", "rows", "records", "observations", "logs")
)
_DEEPEST = 8  # pages in pages
_PAGES = ("data", "results", "rows", "records", "observations", "logs")  # the keys that hold a page's rows


def rows_of(value: Row, depth: int = 0) -> Iterator[Row]:
    """The rows that a value stands for: itself, or those inside it with what is said of all of them."""
    if _NESTED.isdisjoint(value) or depth > _DEEPEST:
        yield value
        return
    spans = value.get("resourceSpans")
    if isinstance(spans, list):
        yield from (_span(span) for part in _objects(spans) for span in _spans_of(part))
        return
    if isinstance(value.get("spans"), list):
        yield from (_span(span) for span in _objects(value["spans"]))
        return
    if "hash_id_scope" in value or _is_conversation(value):
        yield from ({CONVERSATION: value.get("id"), **row} for row in _objects(value["requests"]))
        return
    if len(value) == 1 and isinstance(value.get("data"), dict):
        yield from rows_of(value["data"], depth + 1)
        return
    page = next((value[key] for key in _PAGES if isinstance(value.get(key), list) and _is_page(value, key)), None)
    if page is None:
        yield _span(value) if "attributes" in value else value
        return
    shared: Row = {
        name: value[name] for name in ("start_time", "end_time", "start_time_iso", "end_time_iso") if name in value
    }
    if not page and shared:
        yield shared  # a bucket without use is part of the time that is covered
    for row in _objects(page):
        for inner in rows_of(row, depth + 1):
            yield {**shared, **inner} if shared else inner


def _objects(values: Any) -> Iterator[Row]:
    return (value for value in (values if isinstance(values, list) else ()) if isinstance(value, dict))


def _is_conversation(value: Row) -> bool:
    requests = value.get("requests")
    return isinstance(requests, list) and all(isinstance(row, dict) and "t" in row for row in requests)


def _is_page(value: Row, key: str) -> bool:
    """A list of objects beside nothing that a request itself would have."""
    return all(isinstance(row, dict) for row in value[key]) and not {"prompt_tokens", "input_tokens"} & set(value)


def _spans_of(part: Row) -> Iterator[Row]:
    """The spans of one resource, in either spelling of their scope."""
    for scope in _objects(part.get("scopeSpans") or part.get("instrumentationLibrarySpans") or []):
        yield from _objects(scope.get("spans") or [])


def _span(span: Row) -> Row:
    """A span with its attributes as columns of their own; its status is its code."""
    attributes = span.get("attributes")
    if isinstance(attributes, list):  # OTLP: [{key, value: {intValue: "5"}}]
        attributes = {str(pair.get("key")): _scalar(pair.get("value")) for pair in _objects(attributes)}
    status = span.get("status")
    flat = {name: value for name, value in span.items() if name != "attributes"}
    if isinstance(status, dict):
        code = status.get("code", status.get("status_code"))
        flat["status"] = "ERROR" if code in (2, "2", "ERROR", "STATUS_CODE_ERROR") else "OK"
    return {**flat, **(attributes if isinstance(attributes, dict) else {})}


def _scalar(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    inner = next(iter(value.values()), None)
    return int(inner) if "intValue" in value and isinstance(inner, str) and inner.lstrip("-").isdigit() else inner
