package models

// The sandbox's clock.
var (
	SandboxClockUnavailable = declare(Unavailable, "sandbox-clock-unavailable", "Time cannot be moved here", "use a sandbox whose engine can skip time; nothing was changed")
	SandboxClockBusy        = declare(Conflict, "sandbox-clock-busy", "Another advance is under way", "wait until it is done")
	SandboxClockBlocked     = declare(Conflict, "sandbox-clock-blocked", "Something under way keeps time from moving on", "let it finish, or put right what it waits for, then advance again")
)
