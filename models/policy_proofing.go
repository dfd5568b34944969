package models

// ProofingPolicy dates and bounds the proofing of identities (PRF, REG-2). Days end in the vendor's zone.
type ProofingPolicy struct {
	TermsVersion          string            `json:"terms_version"`            // of the self-service terms that are agreed to now
	FreeAttempts          int               `json:"free_attempts"`            // included in the price; another one is bought (PRF-9)
	Nudges                []int             `json:"nudges"`                   // days after a case came to wait for the person, ascending: a reminder each
	SessionHours          int               `json:"session_hours"`            // a self-service session times out
	CheckMinutes          int               `json:"check_minutes"`            // its result is fetched again though no webhook came
	Questions             bool              `json:"questions"`                // knowledge questions may be asked (PRF-2)
	QuestionsAtLeast      int               `json:"questions_at_least"`       // in a set
	QuestionOptions       int               `json:"question_options"`         // of each question, at least
	QuestionSeconds       int               `json:"question_seconds"`         // for each
	QuestionAttempts      int               `json:"question_attempts"`        // sets
	AgentCodeDays         int               `json:"agent_code_days"`          // term of an activation code that an agent hands out (PRF-9)
	PostCodeDays          int               `json:"post_code_days"`           // of a posted one, within the contiguous United States
	PostCodeDaysElsewhere int               `json:"post_code_days_elsewhere"` //
	CodeReminders         []int             `json:"code_reminders"`           // days before a code lapses, descending
	CodeTries             int               `json:"code_tries"`               // wrong activation codes within the wait
	CodeWaitMinutes       int               `json:"code_wait_minutes"`        //
	RegistrationDays      int               `json:"registration_days"`        // from proofed to the first authenticator (REG-2)
	RegistrationReminders []int             `json:"registration_reminders"`   // days before that is over, descending
	Review                ReviewRule        `json:"review"`                   // which passes a second person confirms (PRF-8)
	ReviewHours           int               `json:"review_hours"`             // a review that waits longer becomes a case
	OutcomeHours          int               `json:"outcome_hours"`            // after the end of a session: without an outcome it must be rescheduled
	Appointment           AppointmentPolicy `json:"appointment"`
}

// AppointmentPolicy shapes the slots of live video sessions (PRF-5).
type AppointmentPolicy struct {
	Minutes       int `json:"minutes"`
	BufferMinutes int `json:"buffer_minutes"` // after each
	NoticeHours   int `json:"notice_hours"`   // a slot begins at least so long after now
	HorizonDays   int `json:"horizon_days"`   // and at most so long
	HoldMinutes   int `json:"hold_minutes"`
	ReminderHours int `json:"reminder_hours"` // before the session
	LinkMinutes   int `json:"link_minutes"`   // before the session: the meeting link is mailed
}

// ReviewRule says which passes a second person confirms.
type ReviewRule string

// The rules of review.
const (
	ReviewNever      ReviewRule = "never"
	ReviewCloseNames ReviewRule = "close_names" // where the displayed name is close to the account's, not the same
	ReviewAlways     ReviewRule = "always"
)

func defaultProofing() ProofingPolicy {
	return ProofingPolicy{
		TermsVersion: "2026-01", FreeAttempts: 3, Nudges: []int{3, 14}, SessionHours: 24, CheckMinutes: 30,
		Questions: true, QuestionsAtLeast: 4, QuestionOptions: 4, QuestionSeconds: 120, QuestionAttempts: 3,
		AgentCodeDays: 30, PostCodeDays: 21, PostCodeDaysElsewhere: 30, CodeReminders: []int{10, 3}, CodeTries: 5, CodeWaitMinutes: 60,
		RegistrationDays: 30, RegistrationReminders: []int{7, 1}, Review: ReviewCloseNames, ReviewHours: 24, OutcomeHours: 24,
		Appointment: AppointmentPolicy{Minutes: 30, BufferMinutes: 5, NoticeHours: 4, HorizonDays: 30, HoldMinutes: 10, ReminderHours: 24, LinkMinutes: 30},
	}
}
