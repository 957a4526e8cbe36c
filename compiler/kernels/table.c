/* A function of one value: its 256 answers, in the order of the stored bytes from -128. */
static void eiq_table(const int8_t *in, int8_t *out, int32_t size, const int8_t *answers)
{
    for (; size > 0; size--) *out++ = answers[*in++ + 128];
}
