package specv1;

/** One line of the corpus. */
record Document(String id, String text, String source, String lang) {}
