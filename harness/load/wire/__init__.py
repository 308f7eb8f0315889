"""One request on the wire: sockets, the kernel's stamps, streams, the sender."""
