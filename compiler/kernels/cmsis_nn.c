/* CMSIS-NN: its Source/ is built with this file, its Include/ is on the path. */
#include "arm_nnfunctions.h"
#include "arm_nn_math_types.h"
#ifdef ARM_MATH_MVEI
#error "compiled for CMSIS-NN's plain and DSP kernels: those for Helium need other buffers"
#endif
