-- POST of one new entity.
local entity = dofile(os.getenv("LUA") .. "/entity.lua")
local header = {["Content-Type"] = "application/json"}
request = function()
  return wrk.format("POST", "/ngsi-ld/v1/entities", header, entity())
end
