/* Counts instructions before every layer. */
void eiq_mark(void);
#define EIQ_MARK(layer) eiq_mark()
