// The Linux calls and constants that Swift's Glibc module hides behind _GNU_SOURCE or in macros.
// Plain functions and constants only; the real headers are included in the .c file alone.
#ifndef HOLDFAST_CLINUX_H
#define HOLDFAST_CLINUX_H
#endif
