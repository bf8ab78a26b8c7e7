"""Names and symbols of the units of measurement that cities use, by their UN/CEFACT code.

Source: UNECE Recommendation 20, "Codes for Units of Measure Used in International
Trade" (code, name, symbol); The Unified Code for Units of Measure (UCUM) for the last column.
"""

from __future__ import annotations

from typing import Final, NamedTuple
from urllib.parse import quote

_UCUM: Final = "http://www.opengis.net/def/uom/UCUM/0/"


class Unit(NamedTuple):
    """A unit's name, its symbol, and its UCUM expression ("" where UCUM has none)."""

    name: str
    symbol: str
    ucum: str


UNITS: Final[dict[str, Unit]] = {
    "2N": Unit("decibel", "dB", "dB"),
    "3B": Unit("megajoule", "MJ", "MJ"),
    "4K": Unit("milliampere", "mA", "mA"),
    "59": Unit("part per million", "ppm", "[ppm]"),
    "61": Unit("part per billion (US)", "ppb", "[ppb]"),
    "A97": Unit("hectopascal", "hPa", "hPa"),
    "AMP": Unit("ampere", "A", "A"),
    "ANN": Unit("year", "y", "a"),
    "BAR": Unit("bar", "bar", "bar"),
    "C26": Unit("millisecond", "ms", "ms"),
    "C62": Unit("one", "1", "1"),
    "CEL": Unit("degree Celsius", "°C", "Cel"),
    "CMT": Unit("centimetre", "cm", "cm"),
    "D54": Unit("watt per square metre", "W/m²", "W/m2"),
    "DAY": Unit("day", "d", "d"),
    "DD": Unit("degree [unit of angle]", "°", "deg"),
    "E34": Unit("gigabyte", "Gbyte", "GBy"),
    "FAH": Unit("degree Fahrenheit", "°F", "[degF]"),
    "GP": Unit("milligram per cubic metre", "mg/m³", "mg/m3"),
    "GQ": Unit("microgram per cubic metre", "µg/m³", "ug/m3"),
    "GRM": Unit("gram", "g", "g"),
    "HAR": Unit("hectare", "ha", "har"),
    "HTZ": Unit("hertz", "Hz", "Hz"),
    "HUR": Unit("hour", "h", "h"),
    "JOU": Unit("joule", "J", "J"),
    "KEL": Unit("kelvin", "K", "K"),
    "KGM": Unit("kilogram", "kg", "kg"),
    "KMH": Unit("kilometre per hour", "km/h", "km/h"),
    "KMK": Unit("square kilometre", "km²", "km2"),
    "KMT": Unit("kilometre", "km", "km"),
    "KPA": Unit("kilopascal", "kPa", "kPa"),
    "KWH": Unit("kilowatt hour", "kW·h", "kW.h"),
    "KWT": Unit("kilowatt", "kW", "kW"),
    "L2": Unit("litre per minute", "l/min", "L/min"),
    "LTR": Unit("litre", "l", "L"),
    "LUX": Unit("lux", "lx", "lx"),
    "MBR": Unit("millibar", "mbar", "mbar"),
    "MGM": Unit("milligram", "mg", "mg"),
    "MIN": Unit("minute [unit of time]", "min", "min"),
    "MMT": Unit("millimetre", "mm", "mm"),
    "MQH": Unit("cubic metre per hour", "m³/h", "m3/h"),
    "MQS": Unit("cubic metre per second", "m³/s", "m3/s"),
    "MTK": Unit("square metre", "m²", "m2"),
    "MTQ": Unit("cubic metre", "m³", "m3"),
    "MTR": Unit("metre", "m", "m"),
    "MTS": Unit("metre per second", "m/s", "m/s"),
    "MWH": Unit("megawatt hour (1000 kW.h)", "MW·h", "MW.h"),
    "NEW": Unit("newton", "N", "N"),
    "OHM": Unit("ohm", "Ω", "Ohm"),
    "P1": Unit("percent", "%", "%"),
    "PAL": Unit("pascal", "Pa", "Pa"),
    "Q30": Unit("pH (potential of Hydrogen)", "pH", "[pH]"),
    "SEC": Unit("second [unit of time]", "s", "s"),
    "TNE": Unit("tonne (metric ton)", "t", "t"),
    "VLT": Unit("volt", "V", "V"),
    "WHR": Unit("watt hour", "W·h", "W.h"),
    "WTT": Unit("watt", "W", "W"),
}


def unit_of_measurement(unit_code: str | None) -> dict[str, str | None]:
    """The `unitOfMeasurement` of a code: all null without one; a code that is not known stands for itself."""
    if unit_code is None:
        return {"name": None, "symbol": None, "definition": None}
    unit = UNITS.get(unit_code)
    if unit is None:
        return {"name": unit_code, "symbol": unit_code, "definition": None}
    return {"name": unit.name, "symbol": unit.symbol, "definition": _UCUM + quote(unit.ucum, safe="")}
