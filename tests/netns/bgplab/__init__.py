"""BGP from outside: speakers made of sockets, real ones beside them, and what became of a route."""
