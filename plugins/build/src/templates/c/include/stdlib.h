#pragma once
#include "libc.h"
