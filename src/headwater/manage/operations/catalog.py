"""The catalogue: which sources, destinations and warehouses there are (contract: public-api 9, Catalog)."""

from __future__ import annotations

import asyncio
from typing import Annotated

import msgspec
from msgspec import Meta

from headwater import destinations as catalogue
from headwater.catalogue import Summary, hands_back
from headwater.catalogue import missing as why_missing
from headwater.manage.answers import DestinationMetadata, Shape, SourceMetadata, WarehouseMetadata
from headwater.manage.describing import show_definition
from headwater.manage.desk import Desk
from headwater.manage.kinds import KINDS
from headwater.manage.operation import operation
from headwater.manage.paging import Page, Pagination, page
from headwater.manage.problems import missing
from headwater.manage.showing import show_engine
from headwater.warehouse import engines


class PageOfCatalog(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A page of a catalogue."""

    pagination: Annotated[Pagination, Meta(description="Which page.")] = Pagination()


class GetDestinationsCatalogAnswer(Shape, frozen=True, kw_only=True):
    """Destinations that can be connected, in alphabetical order."""

    destinations_catalog: list[DestinationMetadata]
    pagination: Page


@operation("GET", "/catalog/destinations", scope="catalog:read", tag="Catalog")
async def get_destinations_catalog(desk: Desk, request: PageOfCatalog) -> GetDestinationsCatalogAnswer:
    """List the destinations that can be connected."""
    found, place = page(catalogue.names(), request.pagination)
    shown = await asyncio.to_thread(lambda: [show_definition(slug) for slug in found])
    return GetDestinationsCatalogAnswer(destinations_catalog=shown, pagination=place)


class ListDestinationSummaries(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Which destinations; what is empty does not matter."""

    search: Annotated[str, Meta(max_length=200, description="Only those whose name, id or description holds it.")] = ""
    category: Annotated[str, Meta(max_length=200, description="Only those of this category.")] = ""
    pagination: Annotated[Pagination, Meta(description="Which page.")] = Pagination()


class DestinationSummary(Shape, frozen=True, kw_only=True):
    """A line of the catalogue. `actions` and `presets` are how many it has; it is `available` unless it opens
    connections of its own (`direct`) and these are switched off, or leaves its events to Segment's own platform.
    """

    slug: str
    name: str
    description: str
    categories: list[str]
    authentication: str
    direct: bool
    available: bool
    audience: bool
    actions: int
    presets: int


class ListDestinationSummariesAnswer(Shape, frozen=True, kw_only=True):
    """Destinations in short, our own first. `categories` are those of all, whatever was searched for. `missing` says
    why Segment's destinations are not there and what to do, or nothing.
    """

    destinations: list[DestinationSummary]
    categories: list[str]
    missing: str
    pagination: Page


@operation("GET", "/headwater/catalog/destinations", scope="catalog:read", tag="Catalog")
async def list_destination_summaries(desk: Desk, request: ListDestinationSummaries) -> ListDestinationSummariesAnswer:
    """List the destinations that can be connected in short, to search among them."""
    lines = catalogue.summaries()
    found, place = page([one for one in lines if _is_wanted(one, request)], request.pagination)
    return ListDestinationSummariesAnswer(
        destinations=[_summary(one, desk) for one in found],
        categories=sorted({category for one in lines for category in one.categories}),
        missing=why_missing(),
        pagination=place,
    )


def _is_wanted(line: Summary, request: ListDestinationSummaries) -> bool:
    sought = request.search.casefold()
    texts = (line.name, line.slug, line.description)
    return (not request.category or request.category in line.categories) and any(
        sought in text.casefold() for text in texts
    )


def _summary(line: Summary, desk: Desk) -> DestinationSummary:
    return DestinationSummary(
        slug=line.slug,
        name=line.name,
        description=line.description,
        categories=list(line.categories),
        authentication=line.authentication,
        direct=line.direct,
        available=(not line.direct or desk.settings.catalogue.direct) and not hands_back(line.slug),
        audience=line.audience,
        actions=line.actions,
        presets=line.presets,
    )


class GetDestinationMetadata(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A destination of the catalogue."""

    destination_metadata_id: Annotated[str, Meta(description="Its id in the catalogue.")]


class GetDestinationMetadataAnswer(Shape, frozen=True, kw_only=True):
    """A destination of the catalogue."""

    destination_metadata: DestinationMetadata


@operation("GET", "/catalog/destinations/{destinationMetadataId}", scope="catalog:read", tag="Catalog")
async def get_destination_metadata(desk: Desk, request: GetDestinationMetadata) -> GetDestinationMetadataAnswer:
    """Show a destination of the catalogue with its settings."""
    if request.destination_metadata_id not in catalogue.names():
        raise missing("destination in the catalogue")
    return GetDestinationMetadataAnswer(destination_metadata=show_definition(request.destination_metadata_id))


class GetSourcesCatalogAnswer(Shape, frozen=True, kw_only=True):
    """Kinds of sources."""

    sources_catalog: list[SourceMetadata]
    pagination: Page


@operation("GET", "/catalog/sources", scope="catalog:read", tag="Catalog")
async def get_sources_catalog(desk: Desk, request: PageOfCatalog) -> GetSourcesCatalogAnswer:
    """List the kinds of sources."""
    found, place = page(list(KINDS.values()), request.pagination)
    return GetSourcesCatalogAnswer(sources_catalog=found, pagination=place)


class GetSourceMetadata(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A kind of source."""

    source_metadata_id: Annotated[str, Meta(description="Its id in the catalogue.")]


class GetSourceMetadataAnswer(Shape, frozen=True, kw_only=True):
    """A kind of source."""

    source_metadata: SourceMetadata


@operation("GET", "/catalog/sources/{sourceMetadataId}", scope="catalog:read", tag="Catalog")
async def get_source_metadata(desk: Desk, request: GetSourceMetadata) -> GetSourceMetadataAnswer:
    """Show a kind of source."""
    found = KINDS.get(request.source_metadata_id)
    if found is None:
        raise missing("source in the catalogue")
    return GetSourceMetadataAnswer(source_metadata=found)


class GetWarehousesCatalogAnswer(Shape, frozen=True, kw_only=True):
    """Kinds of warehouses."""

    warehouses_catalog: list[WarehouseMetadata]
    pagination: Page


@operation("GET", "/catalog/warehouses", scope="catalog:read", tag="Catalog")
async def get_warehouses_catalog(desk: Desk, request: PageOfCatalog) -> GetWarehousesCatalogAnswer:
    """List the kinds of warehouses."""
    found, place = page(engines.names(), request.pagination)
    return GetWarehousesCatalogAnswer(warehouses_catalog=[show_engine(name) for name in found], pagination=place)


class GetWarehouseMetadata(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A kind of warehouse."""

    warehouse_metadata_id: Annotated[str, Meta(description="Its id in the catalogue.")]


class GetWarehouseMetadataAnswer(Shape, frozen=True, kw_only=True):
    """A kind of warehouse."""

    warehouse_metadata: WarehouseMetadata


@operation("GET", "/catalog/warehouses/{warehouseMetadataId}", scope="catalog:read", tag="Catalog")
async def get_warehouse_metadata(desk: Desk, request: GetWarehouseMetadata) -> GetWarehouseMetadataAnswer:
    """Show a kind of warehouse with its settings."""
    if request.warehouse_metadata_id not in engines.names():
        raise missing("warehouse in the catalogue")
    return GetWarehouseMetadataAnswer(warehouse_metadata=show_engine(request.warehouse_metadata_id))
