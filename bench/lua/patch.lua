-- PATCH of one attribute with a new value, of an entity drawn from SIZE.
local size = tonumber(os.getenv("SIZE"))
local header = {["Content-Type"] = "application/json"}
local body = '{"intensity":{"type":"Property","value":%d.%d,"observedAt":"2026-11-%02dT%02d:%02d:%02dZ","unitCode":"LUX"}}'
local random = math.random
math.randomseed(os.time())
request = function()
  local n = random(0, size - 1)
  local path = string.format("/ngsi-ld/v1/entities/urn:ngsi-ld:Kind%02d:%07d", n % 20, n)
  local text = string.format(body, random(0, 99), random(0, 99), random(1, 28), random(0, 23), random(0, 59), random(0, 59))
  return wrk.format("PATCH", path, header, text)
end
