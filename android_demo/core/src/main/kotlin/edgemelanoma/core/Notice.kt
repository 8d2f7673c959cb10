package edgemelanoma.core

/** The languages of the app. */
enum class Language(val code: String) {
    ENGLISH("en"),
    GERMAN("de"),
    ;

    companion object {
        /** The language of a locale; English where it is none of ours. */
        fun of(code: String): Language = if (code.lowercase().startsWith("de")) GERMAN else ENGLISH
    }
}

/** The sentences that travel with every output; English is what edge_melanoma/notice.py has, to the letter. */
object Notice {
    /** What this software is not. */
    fun text(language: Language): String = when (language) {
        Language.ENGLISH ->
            "Research and education software. Not a medical device. Not for diagnosis, screening or treatment " +
                "decisions. A 'low' output never rules out melanoma. See a clinician for any new, changing or " +
                "worrying lesion."
        Language.GERMAN ->
            "Software für Forschung und Lehre. Kein Medizinprodukt. Nicht für Diagnose, Früherkennung oder " +
                "Behandlungsentscheidungen. Das Ergebnis „niedrig“ schließt ein Melanom nie aus. Lassen Sie jede " +
                "neue, sich verändernde oder beunruhigende Hautstelle ärztlich untersuchen."
    }

    /** What every output of a model says that learned from drawn pictures. */
    fun synthetic(language: Language): String = when (language) {
        Language.ENGLISH -> "SYNTHETIC — no clinical meaning"
        Language.GERMAN -> "SYNTHETISCH — ohne klinische Bedeutung"
    }
}
