package legalname

// plainLetters are letters of Latin alphabets that no decomposition takes apart, as they are written without them.
var plainLetters = map[rune]string{
	'ø': "o", 'æ': "ae", 'œ': "oe", 'ł': "l", 'đ': "d", 'ð': "d", 'þ': "th", 'ı': "i", 'ħ': "h", 'ŧ': "t", 'ŋ': "n", 'ĸ': "q", 'ə': "e",
	'ɓ': "b", 'ɗ': "d", 'ƙ': "k", 'ƴ': "y", 'ɛ': "e", 'ɔ': "o", 'ß': "ss",
	'ى': "ي", 'ة': "ه", 'ٱ': "ا", 'ک': "ك", 'ی': "ي", // forms of Arabic letters that keyboards mix up
}

// icaoLetters is how a machine-readable zone writes letters where that is not the letter without its marks: ICAO Doc
// 9303 part 3 §6, tables A (Latin) and B (Cyrillic, without what single languages do otherwise).
var icaoLetters = map[rune]string{
	'ä': "ae", 'ö': "oe", 'ü': "ue", 'å': "aa", 'ø': "oe",

	'а': "a", 'б': "b", 'в': "v", 'г': "g", 'д': "d", 'е': "e", 'ё': "e", 'ж': "zh", 'з': "z", 'и': "i", 'й': "i", 'к': "k", 'л': "l",
	'м': "m", 'н': "n", 'о': "o", 'п': "p", 'р': "r", 'с': "s", 'т': "t", 'у': "u", 'ф': "f", 'х': "kh", 'ц': "ts", 'ч': "ch",
	'ш': "sh", 'щ': "shch", 'ъ': "ie", 'ы': "y", 'ь': "", 'э': "e", 'ю': "iu", 'я': "ia",
	'і': "i", 'ї': "i", 'є': "ie", 'ґ': "g", 'ў': "u", 'ђ': "d", 'ѓ': "g", 'ѕ': "dz", 'ј': "j", 'љ': "lj", 'њ': "nj", 'ћ': "c", 'ќ': "k", 'џ': "dz",
}

// titles stand before a name on some documents and are none of it.
var titles = words("mr mrs ms miss mx dr prof sir dame")

// placeholders stand where somebody has one name only: "first name unknown", "last name unknown".
var placeholders = words("fnu lnu")

// suffixes tell people of one name apart.
var suffixes = map[string]string{
	"jr": "jr", "jnr": "jr", "junior": "jr", "sr": "sr", "snr": "sr", "senior": "sr",
	"ii": "2", "2nd": "2", "iii": "3", "3rd": "3", "iv": "4", "4th": "4",
}

// particles are small words within names. Some are names as well: a missing one is never overlooked, only asked about.
var particles = words("van von vom der den de del della dello di da das do dos du des d la le las los el al as ul ud ur bin binti bint ibn ben " +
	"zu zum zur af av ter ten te t y e i und of the ap na nic ni ua")

// variants are abbreviations, and spellings so usual that a document and its owner may use different ones.
var variants = map[string]string{
	"st": "saint", "ste": "sainte", "ma": "maria", "fco": "francisco", "wm": "william", "jos": "joseph", "chas": "charles", "geo": "george", "thos": "thomas",
	"mohammed": "muhammad", "mohamed": "muhammad", "mohammad": "muhammad", "mohamad": "muhammad", "muhammed": "muhammad", "muhamad": "muhammad",
	"muhamed": "muhammad", "mohamud": "muhammad", "mohd": "muhammad", "md": "muhammad", "mehmet": "muhammad",
	"ahmad": "ahmed", "hussain": "hussein", "husain": "hussein", "husein": "hussein", "hossein": "hussein", "hossain": "hussein",
	"yousef": "yusuf", "youssef": "yusuf", "yousuf": "yusuf", "yusef": "yusuf", "youcef": "yusuf", "yosef": "yusuf",
	"abdul": "abd", "abdel": "abd", "abdal": "abd", "abdoul": "abd", "umar": "omar", "usman": "osman", "uthman": "osman",
}

// romanization takes differences between romanizations away, so that Sergei, Sergey and Sergej, or Yuri, Iurii and
// Juri, come out the same.
var romanization = []string{
	"sch", "sh", "tch", "ch", "ae", "a", "oe", "o", "ue", "u", "aa", "a", "ee", "i", "oo", "u", "ou", "u",
	"ij", "i", "ii", "i", "iy", "i", "yi", "i", "y", "i", "j", "i", "w", "v", "kh", "h", "ks", "x", "ph", "f", "ck", "k",
}

func words(text string) map[string]bool {
	set := map[string]bool{}
	for _, word := range fields(text) {
		set[word] = true
	}
	return set
}
