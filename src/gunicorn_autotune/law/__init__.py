"""THE DECISION: decide(policy, history, snapshot) -> (decision, history). Pure: no clock, file, socket, log or chance."""
