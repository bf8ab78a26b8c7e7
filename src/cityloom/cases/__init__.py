"""Cases: what happens in the city gets closed, in time, and provably so.

The loop (states, moves, roles, guards, reasons) and the clocks are data, loaded and
validated here; what moves a case is pure: values in, values out, time handed in. It must
never know a request or a route, and it keeps nothing: the store does.

Words follow Open311 GeoReport v2 (service request) and the loop of urban management in the
manner of GB/T 30428: report, verify, file, dispatch, handle, feed back, check, close, evaluate.
"""
