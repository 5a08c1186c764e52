"""Search for networks: spaces, costs, NetAdapt, the masked super-network."""
