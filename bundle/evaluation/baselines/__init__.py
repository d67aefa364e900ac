"""Other people's registration methods and plain fusion rules, measured beside the network."""
