"""The ways to keep the log, one file each; `headwater.contracts.eventlog` holds every one to the same promises."""
