package models

import "fmt"

// proofingBounds are what the numbers of proofing may be, each by itself.
func (p ProofingPolicy) proofingBounds() []bound {
	a := p.Appointment
	bounds := []bound{
		{"/proofing/free_attempts", p.FreeAttempts, 0, mostCount}, {"/proofing/session_hours", p.SessionHours, 1, mostDays},
		{"/proofing/check_minutes", p.CheckMinutes, 1, mostDays}, {"/proofing/questions_at_least", p.QuestionsAtLeast, 1, 100},
		{"/proofing/question_options", p.QuestionOptions, 2, 100}, {"/proofing/question_seconds", p.QuestionSeconds, 1, mostCount},
		{"/proofing/question_attempts", p.QuestionAttempts, 1, 100}, {"/proofing/agent_code_days", p.AgentCodeDays, 1, mostDays},
		{"/proofing/post_code_days", p.PostCodeDays, 1, mostDays}, {"/proofing/post_code_days_elsewhere", p.PostCodeDaysElsewhere, 1, mostDays},
		{"/proofing/code_tries", p.CodeTries, 1, 100}, {"/proofing/code_wait_minutes", p.CodeWaitMinutes, 1, mostCount},
		{"/proofing/registration_days", p.RegistrationDays, 1, mostDays}, {"/proofing/review_hours", p.ReviewHours, 1, mostDays},
		{"/proofing/outcome_hours", p.OutcomeHours, 1, mostDays},
		{"/proofing/appointment/minutes", a.Minutes, 1, 24 * 60}, {"/proofing/appointment/buffer_minutes", a.BufferMinutes, 0, 24 * 60},
		{"/proofing/appointment/notice_hours", a.NoticeHours, 0, mostDays}, {"/proofing/appointment/horizon_days", a.HorizonDays, 1, 365},
		{"/proofing/appointment/hold_minutes", a.HoldMinutes, 1, 24 * 60}, {"/proofing/appointment/reminder_hours", a.ReminderHours, 0, mostDays},
		{"/proofing/appointment/link_minutes", a.LinkMinutes, 0, 24 * 60},
	}
	for name, list := range map[string][]int{"nudges": p.Nudges, "code_reminders": p.CodeReminders, "registration_reminders": p.RegistrationReminders} {
		for i, days := range list {
			bounds = append(bounds, bound{fmt.Sprintf("/proofing/%s/%d", name, i), days, 1, mostDays})
		}
	}
	return bounds
}

// checkProofing keeps reminders within what they remind of, and in their order (PRF-9, REG-2).
func (p Policy) checkProofing(w *wrongs) {
	r := p.Proofing
	if r.TermsVersion == "" {
		w.at("/proofing/terms_version", "nobody agrees to terms without a version")
	}
	switch r.Review {
	case ReviewNever, ReviewCloseNames, ReviewAlways:
	default:
		w.at("/proofing/review", "there is no such rule")
	}
	w.closer("/proofing/code_reminders", r.CodeReminders, min(r.AgentCodeDays, r.PostCodeDays, r.PostCodeDaysElsewhere))
	w.closer("/proofing/registration_reminders", r.RegistrationReminders, r.RegistrationDays)
	for i := 1; i < len(r.Nudges); i++ {
		if r.Nudges[i] <= r.Nudges[i-1] {
			w.at(fmt.Sprintf("/proofing/nudges/%d", i), "each comes later than the one before")
		}
	}
	if a := r.Appointment; a.NoticeHours >= a.HorizonDays*24 {
		w.at("/proofing/appointment/notice_hours", "no slot would be near enough to be offered")
	}
}

// closer says where days before a deadline do not come closer and closer to it, or begin before its term does.
func (w *wrongs) closer(pointer string, days []int, term int) {
	for i, d := range days {
		switch {
		case d >= term:
			w.at(fmt.Sprintf("%s/%d", pointer, i), "the reminder would come before its term begins: fewer than %d days", term)
		case i > 0 && d >= days[i-1]:
			w.at(fmt.Sprintf("%s/%d", pointer, i), "each number is smaller than the one before")
		}
	}
}
