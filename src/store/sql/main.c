/* SPDX-License-Identifier: Apache-2.0 */
#include "store/sql/service.h"

int main(int argc, char **argv)
{
    return service_main(&sql_service, argc, argv);
}
