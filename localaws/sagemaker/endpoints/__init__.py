"""Endpoints as processes: model servers, their health, the routing to them, and what they log and measure."""
