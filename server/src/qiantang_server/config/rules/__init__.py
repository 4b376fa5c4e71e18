"""Rules of configuration: pure decisions about the bodies of namespaces, without I/O, clock or state."""
