"""The client of rtmixd, a realtime audio mixer behind gRPC: numpy in, numpy out."""
