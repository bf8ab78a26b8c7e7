"""The identifiers of the requirements that OGC's standards publish."""

from typing import Final

_CORE: Final = """
root-op root-success api-definition-op api-definition-success conformance-op conformance-success http
query-param-unknown query-param-invalid crs84 fc-md-op fc-md-success fc-md-links fc-md-items fc-md-items-links
fc-md-extent fc-md-extent-multi sfc-md-op sfc-md-success fc-op fc-limit-definition fc-limit-response-1
fc-bbox-definition fc-bbox-response fc-time-definition fc-time-response fc-response fc-links fc-rel-type
fc-timeStamp fc-numberMatched fc-numberReturned f-op f-success f-links
"""
_CRS: Final = """
crs-uri fc-md-crs-list fc-md-storageCrs fc-md-storageCrs-valid-value fc-md-crs-list-global
fc-bbox-crs-definition fc-bbox-crs-valid-value fc-bbox-crs-valid-default-value fc-bbox-crs-action
bbox-crs-exception fc-crs-definition fc-crs-valid-value fc-crs-default-value fc-crs-action crs-exception
ogc-crs-header ogc-crs-header-value geojson
"""


_CQL2_ENCODED: Final = """
basic-cql2 advanced-comparison-operators case-insensitive-comparison accent-insensitive-comparison
basic-spatial-functions basic-spatial-functions-plus spatial-functions temporal-functions arrays
property-property arithmetic functions
"""


def _of(kind: str, names: str) -> list[str]:
    return [f"/req/{kind}/{name}" for name in names.split()]


REQUIREMENTS: Final[dict[str, list[str]]] = {
    "OGC 17-069r4": [
        *_of("core", _CORE),
        *_of("html", "definition content"),
        *_of("geojson", "definition content"),
        *_of("gmlsf0", "definition content headers"),
        *_of("gmlsf2", "definition content headers"),
        *_of("oas30", "oas-definition-1 oas-definition-2 oas-impl completeness exceptions-codes security"),
    ],
    "OGC 18-058r1": _of("crs", _CRS),
    "OGC 19-079r2": [
        *_of(
            "queryables",
            "get-queryables-op get-queryables-response queryables-link expression-construction",
        ),
        *_of("queryables-query-parameters", "parameters"),
        *_of(
            "filter",
            "filter-param filter-lang-param filter-crs-param filter-crs-wgs84 mixing-expressions response "
            "get-functions-operation get-functions-response-json",
        ),
        *_of(
            "features-filter",
            "get-queryables-op queryables-link filter-param filter-lang-param filter-crs-param response",
        ),
    ],
    "OGC 21-065r2": [
        *_of("basic-cql2", "cql2-filter property binary-comparison-predicate null-predicate"),
        *_of("advanced-comparison-operators", "like-predicate between-predicate in-predicate"),
        *_of("case-insensitive-comparison", "casei-function"),
        *_of("accent-insensitive-comparison", "accenti-function"),
        *_of("basic-spatial-operators", "spatial-predicate"),
        *_of("basic-spatial-functions", "spatial-functions"),
        *_of("basic-spatial-functions-plus", "spatial-data-types"),
        *_of("spatial-functions", "spatial-functions"),
        *_of("temporal-operators", "temporal-predicates"),
        *_of("temporal-functions", "temporal-functions"),
        *_of("array-functions", "array-predicates"),
        *_of("property-property", "withdraw-permissions"),
        *_of("arithmetic", "arithmetic"),
        *_of("functions", "functions get-functions-operation get-functions-response-json"),
        *_of("cql2-text", _CQL2_ENCODED + "escaping"),
        *_of("cql2-json", _CQL2_ENCODED),
    ],
    "OGC 20-057": [
        *_of(
            "core",
            "conformance-success tc-op tc-tilematrix-definition tc-tilerow-definition tc-tilecol-definition "
            "tc-success tc-error",
        ),
        *_of("tileset", "description"),
        *_of("tilesets-list", "tileset-path tileset-links"),
        *_of("dataset-tilesets", "landingpage operation"),
        *_of("geodata-tilesets", "desc-links operation"),
        *_of("collections-selection", "query-collections collections-response"),
        *_of("datetime", "axis"),
        *_of("oas30", "completeness operation-id"),
        *_of("xml", "definition content"),
        *_of("mvt", "content"),
        *_of("geojson", "content"),
        *_of("png", "content"),
        *_of("jpeg", "content"),
        *_of("tiff", "content geotiff"),
        *_of("netcdf", "content geo"),
    ],
    "OGC 18-088": [
        *_of("datamodel/entity-control-information", "common-control-information"),
        *_of("datamodel/thing", "properties relations"),
        *_of("datamodel/location", "properties relations"),
        *_of("datamodel/historical-location", "properties relations"),
        *_of("datamodel/datastream", "properties relations"),
        *_of("datamodel/sensor", "properties relations"),
        *_of("datamodel/observed-property", "properties relations"),
        *_of("datamodel/observation", "properties relations"),
        *_of("datamodel/feature-of-interest", "properties relations"),
        *_of("resource-path", "resource-path-to-entities"),
        *_of(
            "request-data",
            "status-code query-status-code order expand select orderby top skip count filter "
            "built-in-filter-operations built-in-query-functions pagination",
        ),
        *_of("data-array", "data-array"),
        *_of(
            "create-update-delete",
            "create-entity link-to-existing-entities deep-insert deep-insert-status-code "
            "update-entity update-entity-put update-entity-jsonpatch delete-entity "
            "historical-location-auto-creation historical-location-manual-creation",
        ),
        *_of("batch-request", "batch-request"),
        *_of("multi-datastream", "properties relations constraints"),
        *_of("create-observations-via-mqtt", "observations-creation"),
        *_of("receive-updates-via-mqtt", "receive-updates"),
    ],
}
"""By standard: OGC API Features Parts 1 (1.0.1), 2 (1.0.1) and 3 (1.0.0); CQL2 (1.0.0);
OGC API Tiles Part 1 (1.0.0); SensorThings API Part 1 (1.1)."""
