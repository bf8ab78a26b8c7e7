-- A page of 20: a type, a number, a circle of 1 km somewhere in the city.
local inner_lon, inner_lat = tonumber(os.getenv("INNER_LON")), tonumber(os.getenv("INNER_LAT"))
local km_lon, km_lat = tonumber(os.getenv("KM_LON")), tonumber(os.getenv("KM_LAT"))
local form = "/ngsi-ld/v1/entities?type=Kind%02d&q=intensity%%3E50&georel=near%%3BmaxDistance==1000" ..
  "&geometry=Point&coordinates=%%5B%.5f,%.5f%%5D&limit=20"
math.randomseed(os.time())
request = function()
  local lon, lat = 8 + km_lon + math.random() * inner_lon, 50 + km_lat + math.random() * inner_lat
  return wrk.format("GET", string.format(form, math.random(0, 19), lon, lat))
end
