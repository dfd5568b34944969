package legalname

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

// PRF-7: names as people and documents have them.
func TestCompare(t *testing.T) {
	for _, c := range []struct {
		account   string // first|middle|last
		displayed string
		result    Result
		reasons   []Reason
	}{
		// the same
		{"Ada||King", "Ada King", Match, nil},
		{"Ada||King", "ADA KING", Match, nil},
		{"Ada|Augusta|King", "Ada Augusta King", Match, nil},
		{"Ada Augusta||King", "Ada Augusta King", Match, nil},
		{"Ada||King", "  Ada\t\n King ", Match, nil},
		{"Ada||King", "Mrs. Ada King", Match, nil},
		{"Ada||Lovelace", "LOVELACE<<ADA", Match, nil},
		{"Ada|King|Lovelace", "LOVELACE<<ADA<KING", Match, nil},
		{"Ada|King|Lovelace", "LOVELACE<<ADA<KING<<<<<<<<<<<<<<<", Match, nil},
		{"Ada||Lovelace", "Lovelace, Ada", Match, nil},
		{"Ada||Lovelace", "ＬＯＶＥＬＡＣＥ＜＜ＡＤＡ", Match, nil},
		// Ireland, Scotland: apostrophes, Mc
		{"Sinéad||O'Connor", "SINEAD O'CONNOR", Match, nil},
		{"Sinéad||O’Connor", "OCONNOR<<SINEAD", Match, nil},
		{"Sinéad||O'Connor", "Sinéad O Connor", Match, nil},
		{"Sinéad||O´Connor", "Sinéad O`Connor", Match, nil},
		{"Ewan||McGregor", "Ewan Mc Gregor", Match, nil},
		{"Ewan||MacGregor", "Ewan McGregor", Close, []Reason{Spelling}},
		// Germany, Austria: umlauts, ß, titles, all given names
		{"Jürgen||Müller", "MUELLER<<JUERGEN", Match, nil},
		{"Jürgen||Müller", "Jurgen Muller", Match, nil},
		{"Juergen||Mueller", "Jürgen Müller", Match, nil},
		{"Juergen||Mueller", "Jurgen Muller", Close, []Reason{Transliteration}},
		{"Käthe||Weiß", "WEISS<<KAETHE", Match, nil},
		{"Sophie||Müller-Lüdenscheidt", "MUELLER LUEDENSCHEIDT<<SOPHIE", Match, nil},
		{"Sophie||Müller-Lüdenscheidt", "Sophie Müller", Close, []Reason{FamilyPart}},
		{"Heinz||Schmidt", "Schmidt, Karl Heinz Otto", Close, []Reason{MiddleMissing, GivenMissing}},
		{"Karl-Heinz||Schmidt", "Karlheinz Schmidt", Match, nil},
		{"Annette||Weber", "Dr. Annette Weber", Match, nil},
		{"Otto||von Bismarck", "Otto Bismarck", Close, []Reason{Particle}},
		// Scandinavia, Iceland
		{"Søren||Kierkegård", "KIERKEGAARD<<SOEREN", Match, nil},
		{"Søren||Kierkegård", "Soren Kierkegard", Match, nil},
		{"Björk||Guðmundsdóttir", "GUDMUNDSDOTTIR<<BJOERK", Match, nil},
		{"Þór||Æsir", "AESIR<<THOR", Match, nil},
		{"Åse||Ødegård", "ODEGARD<<ASE", Match, nil},
		// Poland, Czechia, Hungary, Romania, Turkey, Azerbaijan
		{"Łukasz||Żółć", "ZOLC<<LUKASZ", Match, nil},
		{"Jiří||Dvořák", "Jiri Dvorak", Match, nil},
		{"Nagy||István", "Nagy István", Match, nil},
		{"István||Nagy", "Nagy István", Close, []Reason{Order}},
		{"István||Nagy", "NAGY, ISTVÁN", Match, nil},
		{"Ștefan||Țepeș", "TEPES<<STEFAN", Match, nil},
		{"Işıl||İnönü", "INONU<<ISIL", Match, nil},
		{"Işıl||İnönü", "INOENUE<<ISIL", Match, nil},
		{"Əli||Məmmədov", "MEMMEDOV<<ELI", Match, nil},
		// Netherlands: particles
		{"Anna||van der Berg", "Anna van der Berg", Match, nil},
		{"Anna||van der Berg", "Anna Vanderberg", Match, nil},
		{"Anna||van der Berg", "Berg, Anna van der", Match, nil},
		{"Anna||van der Berg", "VAN DER BERG<<ANNA", Match, nil},
		{"Anna||van der Berg", "Anna Berg", Close, []Reason{Particle}},
		{"Anna||van der Berg", "Anna van den Berg", Close, []Reason{Particle}},
		{"Daan||'t Hooft", "Daan t Hooft", Match, nil},
		// Spain, Latin America, Portugal, Catalonia
		{"José||García López", "GARCIA LOPEZ<<JOSE", Match, nil},
		{"José||García López", "José García", Close, []Reason{FamilyPart}},
		{"José||García López", "José López García", Close, []Reason{Order}},
		{"María José||Núñez", "NUNEZ<<MARIA<JOSE", Match, nil},
		{"María José||Núñez", "NUNXXEZ<<MARIA<JOSE", Match, nil},
		{"María||de los Ángeles Ruiz", "Ma. de los Angeles Ruiz", Close, []Reason{Variant}},
		{"Santiago||Ramón y Cajal", "Santiago Ramon Cajal", Close, []Reason{Particle}},
		{"Penélope||de la Cruz", "PENELOPE DELACRUZ", Match, nil},
		{"João|da Silva|Santos", "João Santos", Close, []Reason{MiddleMissing, Particle}},
		{"Paul·la||Gal·la", "PAULLA GALLA", Match, nil},
		// United States: middle names, initials, suffixes
		{"John|Fitzgerald|Kennedy", "John F. Kennedy", Close, []Reason{MiddleInitial}},
		{"John|F|Kennedy", "JOHN F KENNEDY", Match, nil},
		{"John||Kennedy", "John Fitzgerald Kennedy", Close, []Reason{MiddleMissing}},
		{"John|Fitzgerald|Kennedy", "John Kennedy", Close, []Reason{MiddleMissing}},
		{"John|F|Kennedy", "John Robert Kennedy", Different, []Reason{GivenDiffers}},
		{"John|Fitzgerald|Kennedy", "John Robert Kennedy", Different, []Reason{GivenDiffers}},
		{"Fitzgerald||Kennedy", "J. Fitzgerald Kennedy", Close, []Reason{GivenMissing}},
		{"John|Ronald Reuel|Tolkien", "J. Ronald R. Tolkien", Close, []Reason{MiddleInitial, GivenInitial}},
		{"John|Ronald Reuel|Tolkien", "J.R.R. Tolkien", Close, []Reason{MiddleInitial, GivenInitial}},
		{"Martin|Luther|King Jr.", "Martin Luther King Jr", Match, nil},
		{"Martin|Luther|King, Jr.", "KING JR, MARTIN LUTHER", Match, nil},
		{"Martin|Luther|King Jr.", "King, Martin Luther, Junior", Match, nil},
		{"Martin|Luther|King Jr.", "Martin Luther King, Jr.", Match, nil},
		{"Martin|Luther|King Jr.", "Martin Luther King", Close, []Reason{Suffix}},
		{"Martin|Luther|King Jr.", "Martin Luther King Sr.", Different, []Reason{SuffixDiffers}},
		{"Thurston||Howell III", "HOWELL<III<<THURSTON", Match, nil},
		{"Thurston||Howell III", "Thurston Howell 3rd", Match, nil},
		{"Thurston||Howell III", "Thurston Howell II", Different, []Reason{SuffixDiffers}},
		{"Mary Ann||Smith", "Maryann Smith", Match, nil},
		{"Robert||Smith", "Bob Smith", Different, []Reason{GivenDiffers}},
		{"Mary||Jones", "Mary Smith", Different, []Reason{FamilyDiffers}},
		{"Mary||Smith-Jones", "Mary Jones", Close, []Reason{FamilyPart}},
		{"Eric||St. John", "Eric Saint John", Close, []Reason{Variant}},
		{"Jennifer||Smith", "Jenifer Smith", Close, []Reason{Spelling}},
		{"Jennifer||Smith", "Jenifer Smyth", Close, []Reason{Transliteration, Spelling}},
		{"Jenniffer||Thomson", "Jennifer Thompson", Different, []Reason{NameDiffers}},
		{"Thomas||James", "James Thomas", Close, []Reason{Order}},
		{"Thomas||James", "THOMAS<<JAMES", Close, []Reason{Order}},
		// Arabic, Persian, Hebrew names
		{"Mohammed||al-Hassan", "MUHAMMAD AL HASSAN", Close, []Reason{Variant}},
		{"Omar||al-Hassan", "ALHASSAN<<OMAR", Match, nil},
		{"Omar||Al Hassan", "Omar Hassan", Close, []Reason{Particle}},
		{"Abd al-Rahman||Khalil", "Abdulrahman Khalil", Close, []Reason{Spelling}},
		{"Abdul Rahman||Khalil", "Abdulrahman Khalil", Match, nil},
		{"محمد||علي", "مُحَمَّد علی", Match, nil},
		{"أحمد||حسن", "احمد حسن", Match, nil},
		{"דוד||כהן", "דָּוִד כהן", Match, nil},
		{"Ahmed||Hassan", "أحمد حسن", Close, []Reason{Script}},
		{"Siti||binti Ahmad", "SITI BINTI AHMAD", Match, nil},
		// India, Sri Lanka
		{"Karthik||Ramasamy", "R. Karthik", Close, []Reason{Order, FamilyInitial}},
		{"Priya||Sharma", "प्रिया शर्मा", Close, []Reason{Script}},
		{"राम||शर्मा", "राम शर्मा", Match, nil},
		{"राम||शर्मा", "रमा शर्मा", Different, []Reason{GivenDiffers}}, // vowels are no diacritics
		// East Asia
		{"太郎||山田", "山田太郎", Match, nil},
		{"太郎||山田", "山田　太郎", Match, nil},
		{"太郎||山田", "太郎山田", Close, []Reason{Order}},
		{"さくら||たなか", "たなか さくら", Match, nil},
		{"ｻｸﾗ||ﾀﾅｶ", "タナカ サクラ", Match, nil},
		{"かな||山田", "がな 山田", Different, []Reason{GivenDiffers}}, // nor are voicing marks
		{"철수||김", "김철수", Match, nil},
		{"Taro||Yamada", "山田太郎", Close, []Reason{Script}},
		{"Xiaoming||Li", "LI, XIAOMING", Match, nil},
		{"Xiao Ming||Li", "LI<<XIAOMING", Match, nil},
		{"Văn An||Nguyễn", "NGUYEN<<VAN<AN", Match, nil},
		{"Đức||Đặng", "DANG<<DUC", Match, nil},
		// Cyrillic, Greek
		{"Юрий||Гагарин", "GAGARIN<<IURII", Match, nil},
		{"Yuri||Gagarin", "Юрий Гагарин", Close, []Reason{Transliteration}},
		{"Sergey||Yesenin", "ESENIN<<SERGEI", Close, []Reason{Transliteration, Spelling}},
		{"Алёна||Ёлкина", "Алена Елкина", Match, nil},
		{"Γιώργος||Παπαδόπουλος", "ΓΙΩΡΓΟΣ ΠΑΠΑΔΟΠΟΥΛΟΣ", Match, nil},
		{"Ada||King", "Аdа King", Close, []Reason{Script}}, // Cyrillic а
		// single names, placeholders
		{"||Suharto", "SUHARTO", Match, nil},
		{"FNU||Suharto", "Suharto", Match, nil},
		{"Suharto||Suharto", "SUHARTO<<", Close, []Reason{SingleName}},
		{"Ada||King", "King", Close, []Reason{SingleName}},
		{"Ada||King", "ADAKING", Close, []Reason{SingleName}},
		{"Ada||King", "Adak", Different, []Reason{NameDiffers}},
		// Africa, Pacific
		{"Ngũgĩ||wa Thiong'o", "NGUGI WA THIONGO", Match, nil},
		{"Keliʻi||Kamakawiwoʻole", "KELII KAMAKAWIWOOLE", Match, nil},
		{"Ɓuki||Ɗan", "BUKI DAN", Match, nil},
		// the machine-readable zone is full
		{"Bartholomew|Maximilian|Featherstonehaugh", "FEATHERSTONEHAUGH<<BARTHOLOMEW<MAXI", Close, []Reason{Truncated}},
		// no name
		{"Ada||King", "", Different, []Reason{Unreadable}},
		{"Ada||King", "<<<<", Different, []Reason{Unreadable}},
		{"Ada||King", "?!", Different, []Reason{Unreadable}},
		{"Ada||King", "\xff\xfe", Different, []Reason{Unreadable}},
		{"||", "Ada King", Different, []Reason{Unreadable}},
		{"Ada||King", strings.Repeat("Ada ", 40) + "King", Different, []Reason{Unreadable}},
		{"Ada||King", strings.Repeat("a", 1000), Different, []Reason{Unreadable}},
		// other people
		{"Ada||King", "Grace Hopper", Different, []Reason{NameDiffers}},
		{"Ada||King", "A. Byron", Different, []Reason{FamilyDiffers}},
		{"Ada||King", "B. King", Different, []Reason{GivenDiffers}},
		{"Ada|Mary|King", "MARY KING<<ADA<B", Different, []Reason{NameDiffers}},
		{"Ann||Amaria", "Anna Maria", Different, []Reason{GivenDiffers}},
		{"Augusta||King", "Ada A. King", Different, []Reason{GivenDiffers}},
		{"Maria||Silva", "Mario Silva", Close, []Reason{Spelling}},
		{"Jon||Li", "Jan Li", Different, []Reason{GivenDiffers}},
	} {
		parts := strings.Split(c.account, "|")
		got := Compare(Name{parts[0], parts[1], parts[2]}, c.displayed)
		if got.Result != c.result || !slices.Equal(got.Reasons, c.reasons) {
			t.Errorf("%s and %.60q: %s %v, want %s %v", c.account, c.displayed, got.Result, got.Reasons, c.result, c.reasons)
		}
	}
}

// Everything that a person may be shown has words.
func TestExplain(t *testing.T) {
	seen := map[Reason]bool{}
	for _, r := range order {
		if r.Explain() == "" || seen[r] {
			t.Errorf("%s: %q, seen %v", r, r.Explain(), seen[r])
		}
		seen[r] = true
	}
	if len(order) != len(explanations) {
		t.Errorf("%d reasons, %d explanations", len(order), len(explanations))
	}
}

// The longest and the most ambiguous names take no time to speak of, and longer ones no more.
func TestLongNames(t *testing.T) {
	for name, c := range map[string][2]string{
		"initials":    {strings.Repeat("a ", 15), strings.Repeat("a ", 16)},
		"particles":   {strings.Repeat("de ", 15), strings.Repeat("la ", 16)},
		"same words":  {strings.Repeat("abcdefgh ", 15), strings.Repeat("abcdefgi ", 16)},
		"joinable":    {strings.Repeat("aa ", 15), strings.Repeat("aaa ", 16)},
		"one word":    {strings.Repeat("a", 200), strings.Repeat("b", 200)},
		"a megabyte":  {strings.Repeat("a ", 1<<19), strings.Repeat("b ", 1<<19)},
		"marks alone": {strings.Repeat("\u0301", 200), "e" + strings.Repeat("\u0301", 199)},
		"ligatures":   {strings.Repeat("ﷺ", 200), strings.Repeat("ﷺ", 200)}, // NFKC makes 18 characters of each
	} {
		start := time.Now()
		Compare(Name{First: c[0], Last: "x"}, c[1])
		if took := time.Since(start); took > time.Second {
			t.Errorf("%s: %v", name, took)
		}
	}
}

func BenchmarkCompare(b *testing.B) {
	for name, displayed := range map[string]string{"usual": "LOVELACE<<ADA<KING", "longest": strings.Repeat("de la cruz y ", 3) + "a b c d"} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				Compare(Name{"Ada", "King", "Lovelace"}, displayed)
			}
		})
	}
}

func ExampleCompare() {
	account := Name{First: "Jürgen", Middle: "Otto", Last: "Müller"}
	for _, displayed := range []string{"MUELLER<<JUERGEN<OTTO", "Müller, Jürgen O.", "Hans Müller"} {
		fmt.Println(Compare(account, displayed))
	}
	// Output:
	// {match []}
	// {close [middle_initial]}
	// {different [given_differs]}
}
