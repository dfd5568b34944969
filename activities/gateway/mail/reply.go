package mail

import (
	"errors"
	"strconv"

	"tokendesk/models"
)

// Reply is what a mail server answered when it did not take a mail: its codes, never its words, which like to quote the
// address (SEC-5).
type Reply struct {
	status   int             // reply code (RFC 5321 §4.2.1); 0 where no server answered
	enhanced models.MailCode // enhanced status code (RFC 3463); "" where the server gives none
}

// NewReply makes a reply of its two codes. An enhanced code is believed where its class is the reply code's, as RFC 2034 §4
// demands: it was looked for among the server's words.
func NewReply(status int, enhanced string) *Reply {
	r := &Reply{status: status}
	if code := models.MailCode(enhanced); enhanced != "" && code.Valid() && strconv.Itoa(status)[0] == enhanced[0] {
		r.enhanced = code
	}
	return r
}

func (r *Reply) Error() string {
	if r.enhanced == "" {
		return strconv.Itoa(r.status)
	}
	return strconv.Itoa(r.status) + " " + string(r.enhanced)
}

// CodeOf is the code in a sender's error, the enhanced one where there is one; "" where no server answered.
func CodeOf(err error) models.MailCode {
	r, ok := errors.AsType[*Reply](err)
	if !ok {
		return ""
	}
	if r.enhanced != "" {
		return r.enhanced
	}
	if code := models.MailCode(strconv.Itoa(r.status)); code.Valid() {
		return code
	}
	return ""
}
