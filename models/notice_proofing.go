package models

// The mails of a proofing (PRF, REG-2). Their subject is the proofing case.
const (
	NoticeProofingOpened       NoticeKind = "proofing_opened"       // what to choose from, and what to have at hand
	NoticeProofingNudge        NoticeKind = "proofing_nudge"        // it waits for the person
	NoticeVideoInvited         NoticeKind = "video_invited"         // self-service has ended: choose a slot (PRF-4)
	NoticeAppointmentBooked    NoticeKind = "appointment_booked"    // with an invitation; sealed: the link to change it
	NoticeAppointmentMoved     NoticeKind = "appointment_moved"     // likewise; by the person, or to another agent
	NoticeAppointmentCancelled NoticeKind = "appointment_cancelled" // with the cancellation of the invitation
	NoticeAppointmentAhead     NoticeKind = "appointment_ahead"     // reminder
	NoticeMeetingLink          NoticeKind = "meeting_link"
	NoticeReschedule           NoticeKind = "reschedule"    // param cause: missed, failed, technical, unstaffed, rejected
	NoticeReviewPassed         NoticeKind = "review_passed" // the code may be used now
	NoticeCodePosted           NoticeKind = "code_posted"
	NoticeCodeAhead            NoticeKind = "code_ahead" // param lapses: a date
	NoticeCodeLapsed           NoticeKind = "code_lapsed"
	NoticeProofed              NoticeKind = "proofed"            // param register_by: a date; none where nothing is left to do
	NoticeRegistrationAhead    NoticeKind = "registration_ahead" // param register_by
	NoticeRegistrationLapsed   NoticeKind = "registration_lapsed"
)
