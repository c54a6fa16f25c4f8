/* Included into the build of meinheld 1.0.2 by scripts/install: what Python 3.13 no longer has, and a header without
   which gcc 14 refuses it. */
#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <sys/uio.h>
#if PY_VERSION_HEX >= 0x030D0000
#define PyEval_CallObject PyObject_CallObject
#define PyEval_CallObjectWithKeywords PyObject_Call
#define Py_TRASHCAN_SAFE_BEGIN(op)
#define Py_TRASHCAN_SAFE_END(op)
#endif
