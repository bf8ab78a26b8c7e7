-- A new entity like those of the city, as JSON; `FIRST` is where the numbers begin.
local size = tonumber(os.getenv("SIZE"))
local edge_lon, edge_lat = tonumber(os.getenv("EDGE_LON")), tonumber(os.getenv("EDGE_LAT"))
local number = tonumber(os.getenv("FIRST"))
local form = '{"id":"urn:ngsi-ld:Kind%02d:%d","type":"Kind%02d",' ..
  '"location":{"type":"GeoProperty","value":{"type":"Point","coordinates":[%.6f,%.6f]}},' ..
  '"name":{"type":"Property","value":"Object %d of the city"},' ..
  '"intensity":{"type":"Property","value":%.1f,"observedAt":"2026-11-01T12:00:00Z","unitCode":"LUX"},' ..
  '"temperature":{"type":"Property","value":%.1f,"observedAt":"2026-11-01T12:00:00Z","unitCode":"CEL"},' ..
  '"state":{"type":"Property","value":"ok"},' ..
  '"installed":{"type":"Property","value":{"year":1990,"by":"works"}},' ..
  '"refDistrict":{"type":"Relationship","object":"urn:ngsi-ld:District:%03d"}}'
math.randomseed(os.time())
return function()
  local n = number
  number = number + 1
  return string.format(form, n % 20, n, n % 20, 8 + math.random() * edge_lon, 50 + math.random() * edge_lat,
    n, n % 1000 / 10, n % 400 / 10, n % 97)
end
