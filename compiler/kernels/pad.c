/* A frame of zeros, and what it is around. */
static void eiq_pad(const eiq_move_shape *s, const void *in, void *out, int32_t first, int32_t size, int zero)
{
    memset(out, zero, (size_t)size);
    eiq_move(s, in, 0, out, first);
}
