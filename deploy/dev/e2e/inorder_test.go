package e2e

import (
	"net/http"
	"testing"
	"time"

	api "tokendesk/api/client"
	"tokendesk/deploy/dev/e2e/journey"
	"tokendesk/models"
)

// inOrder checks what must hold whatever has happened (OPS-2).
func (g *ground) inOrder(t *testing.T, journeys []*journey.Journey) {
	t.Helper()
	for _, rule := range []struct{ name, broken string }{
		{"no key before payment", `select o.number from license_keys k join order_lines l on l.id = k.order_line_id join orders o on o.id = l.order_id
			join invoices i on i.order_id = o.id where i.status <> 'paid' or k.issued_at < i.settled_at or k.issued_at < o.paid_at`},
		{"one key a line", `select o.number from order_lines l join orders o on o.id = l.order_id left join license_keys k on k.order_line_id = l.id
			where o.status = 'fulfilled' group by o.number, l.id having count(k.id) <> 1`},
		{"no serial twice", `select serial from parcels where outcome is distinct from 'cancelled' group by serial having count(*) > 1
			union all select serial from authenticators group by serial having count(*) > 1`},
		{"one parcel of one shipment a line", `select l.id from order_lines l left join shipments s on s.order_line_id = l.id left join parcels p on p.shipment_id = s.id
			group by l.id having count(p.number) <> 1 or count(s.id) <> 1`},
		{"one label a parcel", `select s.id from shipments s left join sandbox.parcels p on p.reference = s.id and not p.voided group by s.id having count(p.tracking) <> 1`},
		{"no charge twice", `select order_number from sandbox.charges where status not in ('declined', 'cancelled') group by order_number having count(*) <> 1`},
		{"charged in full", `select order_number from sandbox.charges where status not in ('declined', 'cancelled') and (status <> 'captured' or captured <> amount)`},
		{"charged what was ordered", `select o.number from orders o left join sandbox.charges c on c.order_number = o.number and c.status = 'captured'
			where (o.payment_method = 'card') <> (c.ref is not null) or c.amount <> o.total_minor`},
		{"one payment an invoice", `select i.number from invoices i left join allocations a on a.invoice_id = i.id group by i.id having count(*) <> 1 or sum(a.amount_minor) <> i.total_minor`},
		{"no mail altered", `select message_id from sandbox.mails where altered`},
		{"no mail twice", `select recipients[1] || ' ' || subject from sandbox.mails group by recipients, subject having count(*) > 1`},
		{"one mail a notice", `select n.id from notices n left join sandbox.mails m on m.message_id = trim(both '<>' from n.message_id) where n.status <> 'sent' or m.id is null`},
		{"nothing sealed in a mail that was sent", `select id from notices where sealed is not null`},
		{"the ledger balances", `select entry_id::text from ledger_postings group by entry_id having sum(amount_minor) <> 0`},
		{"nothing is receivable", `select account from ledger_postings where account in ('receivable', 'unapplied_cash') group by account having sum(amount_minor) <> 0`},
		{"the ledger holds the money", `select 'money' where (select sum(amount_minor) from ledger_postings where account in ('bank', 'card_clearing')) <> (select sum(amount_minor) from payments)`},
		{"the engine knows all", `select workflow_id from outbox where dispatched_at is null`},
		{"no case for a person", `select title from support_cases where state = 'open'`},
	} {
		if broken := all[string](t, g.db, rule.broken); len(broken) > 0 {
			t.Errorf("%s: broken by %v", rule.name, broken)
		}
	}
	for _, j := range journeys {
		for _, subject := range []string{"Your order " + j.Order.Number, "Your license key for order " + j.Order.Number + ", line 1"} {
			n := one[int](t, g.db, "select count(*) from sandbox.mails where recipients = array[$1] and subject = $2", j.Person.Email, subject)
			if n != 1 {
				t.Errorf("%q was mailed %d times", subject, n)
			}
		}
	}
	g.auditIntact(t)
}

// auditIntact checks that the audit trail has been sealed to its end, and that its chains hold (SEC-3).
func (g *ground) auditIntact(t *testing.T) {
	t.Helper()
	var report api.AuditVerification
	eventually(t, 20*time.Second, "the audit trail to be sealed", func() bool {
		must(t, g.world.Do(t.Context(), journey.Call{Method: http.MethodGet, Path: "/v1/audit/verification", Bearer: g.world.Key(models.RoleAuditor)}, &report))
		unsealed := int64(0)
		for _, chain := range report.Chains {
			unsealed += chain.Unsealed
		}
		return unsealed == 0
	})
	if !report.Intact || len(report.Chains) == 0 {
		t.Errorf("the audit trail is not intact: %+v", report)
	}
}
