-- GET of one entity, drawn from SIZE.
local size = tonumber(os.getenv("SIZE"))
math.randomseed(1)
request = function()
  local n = math.random(0, size - 1)
  return wrk.format("GET", string.format("/ngsi-ld/v1/entities/urn:ngsi-ld:Kind%02d:%07d", n % 20, n))
end
